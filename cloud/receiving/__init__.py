"""Goods receipts: projected from journal entries, checked, decided, posted, verified."""
