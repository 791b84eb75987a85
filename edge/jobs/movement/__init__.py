"""The box's smaller jobs: goods that are moved or put away, counts, containers at the gate."""
