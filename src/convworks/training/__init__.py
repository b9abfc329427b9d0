"""The training loop as a generator of events, with everything that it stands on."""
