"""Whole frames of each driver, every one of which means something by itself; and the arguments its commands need."""
