# The ways to run, check and measure Client Billing. `make help` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
LISTEN ?=
PORT ?= 8000
SEEDS ?= 1..500

.DEFAULT_GOAL := help
.PHONY: help run lint check test test-all simulate faults demo bench bench-smoke format lock clean

help: ## what can be asked for
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(VENV)/.run ## install what is needed and serve everything with demo data on http://localhost:8000
	@$(BIN)/clientbilling up --demo --port $(PORT) $(if $(LISTEN),--host $(LISTEN))

lint: $(VENV)/.dev ## format, lint, types, import rules
	@$(BIN)/ruff format --check . && $(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

check: lint ## the same and the unit tests, before each commit
	@$(BIN)/python -m pytest -n 2 --dist loadfile tests/unit tests/contract

# What takes minutes, and is left to `make test-all`: containers, every kill point, the scan for leaks, and what only a browser's user does.
LONG := compose leakscan faults simulation/test_controls.py simulation/test_model.py e2e/test_rotating_keys.py \
	e2e/test_stripe_pages.py e2e/test_authorize_net_pages.py e2e/test_elavon_pages.py

test: $(VENV)/.dev ## every test that this machine can run within minutes; the last lines name what did not run
	@$(BIN)/python -m pytest -n 3 --dist loadfile $(LONG:%=--ignore tests/%) tests

test-all: $(VENV)/.dev ## all of them, with more seeds, and the containers; it fails where RabbitMQ, PostgreSQL, a browser or Docker is missing
	@CLIENTBILLING_TEST_REQUIRE=all $(BIN)/python -m tests.again -n 3 --dist loadfile --ignore tests/compose tests
	@CLIENTBILLING_TEST_REQUIRE=all $(BIN)/python -m tests.again -s tests/compose

faults: $(VENV)/.dev ## seeded histories over three processors, killed anywhere; judged by the processors' own books (SEED=1)
	@$(BIN)/python -W ignore -m tests.faults.runner $(if $(SEED),--seed $(SEED)) $(if $(CASES),--cases $(CASES))

demo: $(VENV)/.dev ## the product with a practice on each processor's simulator, to try all three without a network
	@$(BIN)/python -W ignore -m tests.simulators.demo --port $(PORT)

simulate: $(VENV)/.dev ## all five services under one seeded scheduler; a range of seeds: SEEDS=1..500
	@$(BIN)/python -W ignore -m tests.simulation.seeds $(SEEDS)

bench: $(VENV)/.dev ## measure requests a second, as ratios to the system's own floors in the same run
	@$(BIN)/python -W ignore -m tests.bench.bench

bench-smoke: $(VENV)/.dev ## the same, a second for each figure: whether it measures at all
	@$(BIN)/python -W ignore -m tests.bench.bench --seconds 1

format: $(VENV)/.dev ## put the code into its form
	@$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format --quiet .

lock: $(VENV)/.dev ## write the lock files anew from pyproject.toml
	@$(PIP) install uv
	@deploy/lock $(BIN)/uv

clean: ## remove the environment and what was built (never your data under var/)
	@rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache

$(VENV)/.made:
	@deploy/check-python $(PYTHON)
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.run: $(VENV)/.made deploy/constraints.txt pyproject.toml
	@echo "Installing Client Billing into $(VENV) (once, a minute or two) ..."
	@$(PIP) install --require-hashes -r deploy/constraints.txt
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.run deploy/constraints-dev.txt
	@echo "Installing the tools for tests and checks ..."
	@$(PIP) install --require-hashes -r deploy/constraints-dev.txt
	@touch $@
