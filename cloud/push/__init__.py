"""What the core tells boxes unasked: that there is something new, and commands, to whoever holds the newest lease."""
