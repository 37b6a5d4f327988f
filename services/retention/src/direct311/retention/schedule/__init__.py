"""The retention schedule, the assignments to it, and how its clocks run."""
