"""Throw-away stacks, engines and guarded engines, which the tests and the bench share."""
