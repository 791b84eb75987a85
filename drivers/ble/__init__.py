"""Bluetooth LE: standard services and scales that advertise or notify."""
