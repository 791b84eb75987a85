"""Webhooks: what happened to records is told to other programs, signed, in order, until they have it."""
