"""Commands of the core that need nothing but the core."""
