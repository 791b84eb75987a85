"""Guided jobs of the box: what the operator is asked for, what is accepted, and how it reaches the journal. No web, no SQL."""
