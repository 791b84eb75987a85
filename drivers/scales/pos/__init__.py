"""Scales at tills and counters: protocols of price-computing and POS scales."""
