"""The parts of the report: each a function from a run's story to markup, empty where there is nothing."""
