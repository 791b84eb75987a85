"""What documents say, read from the records."""
