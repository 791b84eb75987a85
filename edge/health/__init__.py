"""How the box is: figures of its parts in one place, written into the journal now and then."""
