"""Boxes: who they are, by which key, and whether they are let in."""
