"""What the README quotes: measured on a stack of its own, in one run, as ratios. `make bench`."""
