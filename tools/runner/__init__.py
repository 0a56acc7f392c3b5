"""Runs every part of the tests: `parts` says what there is, `selection` what a change can reach, `schedule` what runs
when, `execution` runs one part, `cli` is `make test`, `test-fast` and `soak`.
"""
