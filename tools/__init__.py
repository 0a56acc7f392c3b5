"""What is never shipped: the tests' own world, and later the test runner, the documents and the updates."""
