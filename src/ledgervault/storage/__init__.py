"""The backups on disk: files, dumps, the journal, and the store, which alone writes them."""
