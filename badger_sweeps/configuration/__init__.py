"""From YAML files to a plan: location of the files, resolvers, names of runs, and the configuration builder."""
