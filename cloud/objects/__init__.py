"""Objects: one definition drives storage, forms, lists, the interface for programs, import, history and permissions."""
