# `make` alone lists the verbs. Each does its own set-up.

PYTHON := .venv/bin/python
ROOT := $(filter 0,$(shell id -u))
# Half of their time tests wait for what boots, moves or dies.
WORKERS := $(shell expr 2 \* $$(nproc))

# Tests start Python some hundred times: compiling everything each time would be a tenth of their work.
export PYTHONDONTWRITEBYTECODE :=

# They also make and delete files and inodes without end: in memory, where there is room for it.
MEMORY := $(shell [ "$$(df -k --output=avail /dev/shm 2>/dev/null | tail -1)" -gt 4000000 ] 2>/dev/null && echo TMPDIR=/dev/shm)

.DEFAULT_GOAL := help
.PHONY: help demo test lint types soak bench setup clean

help: ## list these verbs
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 8

demo: ## build the dual-homed network and prove it with real packets (ARGS=--keep leaves it up)
	@scripts/setup demo
	@$(PYTHON) -m enid demo $(ARGS)

test: .setup ## everything, style and types too (as a user: what needs no root)
	@$(MEMORY) $(PYTHON) -m pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder $(if $(ROOT),,-m "not root") $(ARGS)

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
