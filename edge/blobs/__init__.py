"""Files of this box: kept by the hash of their content, sent up by themselves behind the records."""
