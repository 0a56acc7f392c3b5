"""PostgreSQL: connections, queries, definitions, rows, throw-away servers and the loading of dumps."""
