"""What is done with runs afterwards: tables, figures, reports. Reads run folders and changes nothing in them."""
