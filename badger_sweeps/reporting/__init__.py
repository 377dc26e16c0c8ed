"""What finished and unfinished runs left behind: read, compared, drawn and written as a page."""
