"""Addresses below `/o/` and `/admin/objects`."""
