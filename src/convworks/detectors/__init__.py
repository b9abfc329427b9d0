"""Detectors: each a composition of the parts in `regions`."""
