"""Stores that are killed, lose power or are damaged: shared by tests/unit and tests/soak."""
