"""Benchmarks: `./scripts/bench NAME [--json]`. One module each; report.py prints what they measured."""
