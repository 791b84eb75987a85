"""The addresses of the staff pages, a module for each subject."""
