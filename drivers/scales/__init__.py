"""Weighing instruments, one module per protocol."""
