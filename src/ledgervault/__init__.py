"""ledgervault takes backups of a PostgreSQL database, proves them by restoring them, prunes old ones and restores them.

It knows PostgreSQL and nothing of the application: the configuration names the tables to count and the rows to expect.
"""

__version__ = "0.1.0"
