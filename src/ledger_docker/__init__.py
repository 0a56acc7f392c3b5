"""`ledger_docker`: the docker command line that asks or refuses before anything is stopped.

A package of its own because it runs beside the guard, as whoever types the command, and needs none of its modules: the
guard in the engine decides without it.
"""
