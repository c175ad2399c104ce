"""orch: a container orchestrator that needs nothing on its servers but sshd and podman."""

__version__ = "0.1.0"
