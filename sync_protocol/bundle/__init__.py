"""A receipt to hand over: one file that anybody verifies with nothing but the box's public key. docs/EVIDENCE.md says how."""
