"""What a view looks like on paper: facts, tables and notes in one language, as plain data for the typesetter."""
