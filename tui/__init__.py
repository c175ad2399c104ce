"""The terminal UI. It knows orch.api.client and orch.model, and nothing else of orch."""
