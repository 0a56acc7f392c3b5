"""ledgervault keeps backups of a PostgreSQL database: it takes, verifies, proves, keeps and restores them.

It knows PostgreSQL and nothing of the application: what is counted and which rows are expected comes from its
configuration.
"""

__version__ = "0.1.0"
