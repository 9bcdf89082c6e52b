"""The search spaces that ship with OSE: one YAML file each, never edited once a job has used it."""
