"""Documents and labels: what they say, how they are typeset, and how a printed one is checked."""
