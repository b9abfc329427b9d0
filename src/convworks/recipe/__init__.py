"""Choosing hyperparameters: every knob, what was measured, and what is proposed for it with a reason."""
