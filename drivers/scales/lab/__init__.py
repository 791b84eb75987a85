"""Laboratory and bench balances."""
