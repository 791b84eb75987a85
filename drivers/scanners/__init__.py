"""Barcode readers and what their data means."""
