"""What the guard reads of the engine, of the host and of the vault; nothing here decides."""
