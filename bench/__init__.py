"""Benchmarks: medians and ratios of one run; `script/bench` runs them all."""
