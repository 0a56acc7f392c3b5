"""Makes the statements that restore-smoke imports, and compares what comes back."""
