"""The parts of every detector: proposals, region features, coding, matching, sampling, losses, suppression."""
