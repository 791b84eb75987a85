"""The cloud's master data on the box, so that jobs run with no network."""
