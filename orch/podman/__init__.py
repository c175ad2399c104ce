"""The words of each podman command that orch runs, and the reading of what they print. Pure."""
