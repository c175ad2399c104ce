"""Compose files → specs. compose.py reads the file, variables.py its `${…}`. Pure but for reading the file."""
