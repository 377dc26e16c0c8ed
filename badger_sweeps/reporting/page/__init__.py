"""The report as one HTML file: panels, template, and the server for running runs."""
