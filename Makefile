# `make` alone lists the verbs. Each does its own set-up.

PYTHON := .venv/bin/python
ROOT := $(filter 0,$(shell id -u))
# Half of their time tests wait for what boots, moves or dies.
WORKERS := $(shell expr 2 \* $$(nproc))

.DEFAULT_GOAL := help
.PHONY: help demo test lint types soak bench setup clean

help: ## list these verbs
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 8

demo: ## build the dual-homed network and prove it with real packets (ARGS=--keep leaves it up)
	@scripts/setup demo
	@$(PYTHON) -m enid demo $(ARGS)

test: lint types ## everything: style, types, and all tests (as a user: those that need no root)
	@$(PYTHON) -m pytest --numprocesses $(WORKERS) --dist worksteal $(if $(ROOT),,-m "not root") $(ARGS)

lint: .setup ## style
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m ruff format --check --quiet .

types: .setup ## types
	@$(PYTHON) -m mypy

soak: .setup ## try for hours to prove enid wrong (needs root; docs/proof.md; SOAK=0.1 takes a tenth)
	@SOAK=$${SOAK:-1} $(PYTHON) -m pytest tests/proof tests/conformance/test_random_calls.py -x -s $(ARGS)

bench: ## measure what the README claims (needs root; docs/performance.md; QUICK=1 less, ALL=1 more)
	@scripts/setup bench
	@$(PYTHON) -m bench $(ARGS)

setup: ## install packages and the Python environment for development
	@scripts/setup dev

.PHONY: .setup
.setup:
	@scripts/setup dev

clean: ## delete what was built, the Python environment too
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis enid-demo.svg
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
