"""What the cloud asks of this box: taken once, carried out once, and told in the journal whatever came of it."""
