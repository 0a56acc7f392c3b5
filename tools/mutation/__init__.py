"""Changes one decision at a time and asks whether a test notices: `mutants` makes the changes, `cli` runs the tests."""
