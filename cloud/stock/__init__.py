"""The stock ledger: moves that are never changed, what they leave where, lots and handling units, and who may take what."""
