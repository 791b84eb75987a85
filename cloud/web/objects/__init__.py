"""Pages that a definition alone makes: lists, boards, forms, records, and the definitions themselves."""
