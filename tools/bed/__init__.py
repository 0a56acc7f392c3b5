"""The test bed: a world of its own for each part of the tests, with its own engine, `/etc`, `/srv`, `/run` and `/var`.

`layout` says which directories are private and how, `inside` is the first process of a world, `worlds` makes, runs and
removes one, `templates` keeps worlds that others are copied from.
"""
