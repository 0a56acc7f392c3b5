"""The running guard: its socket, its declarations, its unlocks, its audit and the check of all of them."""
