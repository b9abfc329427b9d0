"""Augmentation seen before training: one's own images beside seeded draws of what a run would make of them."""
