"""Docker's requests and configurations, parsed into the guard's own values."""
