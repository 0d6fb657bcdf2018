"""Benchmarks: `make bench` and `make bench-learning`."""
