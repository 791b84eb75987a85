"""Clocks of boxes: where their anchors lie, and when entries truly happened."""
