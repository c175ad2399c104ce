# `make check` is the daily loop; `./scripts/test` adds the tests on real hosts.
PYTHON := .venv/bin/python

.PHONY: check lint types imports fast format

check: lint types imports fast

lint:
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .

types:
	$(PYTHON) -m mypy

imports:
	.venv/bin/lint-imports

fast:
	$(PYTHON) -m pytest -m "not lab"

format:
	$(PYTHON) -m ruff check --fix .
	$(PYTHON) -m ruff format .
