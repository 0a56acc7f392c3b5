"""What the vault asks of its host: programs, and the time limit that ends them."""
