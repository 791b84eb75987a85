"""The kernel: events, state machines and the one function that changes a state."""
