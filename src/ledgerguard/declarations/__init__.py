"""What root declares: the protected volumes, the containers that may hold them, and the commands allowed inside."""
