"""The object store: S3 client, embedded server, checkpoints."""
