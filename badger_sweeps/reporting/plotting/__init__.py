"""Charts as data, and their Matplotlib and Plotly backends."""
