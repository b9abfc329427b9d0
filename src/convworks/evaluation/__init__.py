"""How good the model is, said honestly: uncertainty, curves, verdicts in words, calibration, comparison of runs."""
