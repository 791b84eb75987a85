"""Cameras of the box: one picture when somebody asks or a weight is booked, kept as it came, with what was found in it."""
