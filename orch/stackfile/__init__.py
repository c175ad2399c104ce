"""Compose files → specs, and back. compose.py is where reading begins, render.py the way back. Pure but for disk.py."""
