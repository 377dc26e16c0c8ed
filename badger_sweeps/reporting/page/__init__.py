"""The report as one HTML file: its panels, its template, its server."""
