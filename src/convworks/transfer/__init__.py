"""Transfer learning: keep what a net knows, drop its last layer, and train a new one for what you want to know."""
