"""Files that boxes send: resumable upload, kept by the hash of their content."""
