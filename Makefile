.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
MESH_VENV := .venv-mesh
BENCH_VENV := .venv-bench
BIN := $(VENV)/bin
# mesh-sandbox does not run on Python 3.14 yet.
SUPPORTED := import sys; (3, 11) <= sys.version_info < (3, 14) or sys.exit("Python 3.11, 3.12 or 3.13 is needed: make PYTHON=python3.12 ...")

.PHONY: help install run test check bench soak docs lock tables clean

help: ## Show what can be made
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(VENV)/.installed $(MESH_VENV)/.installed ## Install the gateway and a local MESH, each in its own virtual environment

$(VENV)/.installed: requirements.lock pyproject.toml
	$(PYTHON) -c '$(SUPPORTED)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --no-deps --no-build-isolation -e .
	touch $@

# mesh-sandbox pins a fastapi older than ours, so it lives apart.
$(MESH_VENV)/.installed: mesh/sandbox/requirements.lock
	$(PYTHON) -m venv $(MESH_VENV)
	$(MESH_VENV)/bin/pip install --quiet --require-hashes -r mesh/sandbox/requirements.lock
	touch $@

run: install ## Run the main job: a local MESH, the gateway, three events, and a table of what became of them
	$(BIN)/gateway demo

test: install ## Run every test
	$(BIN)/pytest -m "not soak" -n 3 --dist loadfile --no-loadscope-reorder

check: install ## Lint, types and import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: install $(BENCH_VENV)/.installed ## Measure, in one run, beside a bare ASGI echo; the stores beside each other and queues
	$(BIN)/python -m tests.bench
	$(BIN)/python -m tests.bench.stores --rivals $(BENCH_VENV)/bin/python

# The queues that claims are measured beside live apart: psycopg is LGPL.
$(BENCH_VENV)/.installed: tests/bench/rivals/requirements.lock
	$(PYTHON) -m venv $(BENCH_VENV)
	$(BENCH_VENV)/bin/pip install --quiet --require-hashes -r tests/bench/rivals/requirements.lock
	touch $@

soak: install ## Run the long tests
	$(BIN)/pytest -m soak --timeout=3600

docs: install ## Write the generated pages of docs/reference anew
	$(BIN)/python -m docs.generate

lock: ## Write the lock files anew from the ranges in pyproject.toml
	$(BIN)/uv pip compile --quiet --all-extras pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile --quiet mesh/sandbox/requirements.in -o mesh/sandbox/requirements.lock
	$(BIN)/uv pip compile --quiet tests/bench/rivals/requirements.in -o tests/bench/rivals/requirements.lock

tables: install ## Generate the FHIR type tables anew from fhir.resources
	$(BIN)/python -m gateway.fhir.build_tables

clean: ## Remove what was installed, built and stored
	rm -rf $(VENV) $(MESH_VENV) $(BENCH_VENV) var dist .mypy_cache .pytest_cache .ruff_cache
