"""Labels: one description of each, printed as PDF or in a label printer's own language."""
