"""The workers: backends of the coordinator, and the code that runs inside their processes."""
