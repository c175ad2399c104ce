"""observe → plan → execute, and the one place where its parts are put together (runtime.py)."""
