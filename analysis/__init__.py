"""What is done with runs afterwards: tables, figures, reports. Reads run folders; never writes into a run's own files."""
