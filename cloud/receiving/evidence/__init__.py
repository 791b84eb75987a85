"""What a receipt's numbers rest on: readings, formulas, decisions, moves; and the file in which all of it is handed over."""
