"""The contract between box and cloud: ids, quantities, entries, frames, the two state machines, mirror patches.

Pure functions and frozen data only. Nothing in here opens a socket, reads a clock or draws a random number.
"""
