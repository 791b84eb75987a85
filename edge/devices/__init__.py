"""Devices of the box: links that come back by themselves, live values, and capture into the journal."""
