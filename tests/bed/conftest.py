"""These tests make worlds, so they run beside the machine's engine and not in a world."""
