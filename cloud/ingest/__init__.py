"""Ingest: takes signed frames of journal entries, exactly once."""
