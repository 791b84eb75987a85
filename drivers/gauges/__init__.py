"""Dimension tools: calipers, indicators, gauges."""
