"""Records out into files and in from them: exports, templates, and imports in steps that can be looked at and undone."""
