"""From YAML files to a plan: where the files are, what they compute, names, and the configuration builder."""
