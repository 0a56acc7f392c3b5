"""The decisions: pure functions over parsed requests, declarations and look-ups that the caller hands in."""
