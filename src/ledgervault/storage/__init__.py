"""The backups on disk: files, dumps, the journal and the store that alone writes them."""
