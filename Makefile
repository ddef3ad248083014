# Every target does its own set-up: git, make and Python of at least 3.11 are enough.
# `make PYTHON=/path/to/python` picks another interpreter for the virtual environment.

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
RUN_STAMP := $(VENV)/.installed-run
TEST_STAMP := $(VENV)/.installed-test
DEV_STAMP := $(VENV)/.installed-dev
BENCH_STAMP := $(VENV)/.installed-bench

# `make bench RULES=compiled` measures compiled rules, which it builds first as wheels have them.
RULES ?= interpreted
BENCH_TREE := $(CURDIR)$(if $(filter compiled,$(RULES)),/build/bench/tree)
BENCH := cd '$(BENCH_TREE)' && PYTHONPATH='$(BENCH_TREE)' '$(CURDIR)/$(BIN)/python' -m tests.bench

PYTEST_OPTIONS ?=
# A worker for each processor; the tests of one file stay together, for what they share.
PYTEST_WORKERS ?= --numprocesses auto --dist loadfile
DEMO_OPTIONS ?=

export PYTHON

.DEFAULT_GOAL := help
.PHONY: help demo test check bench manipulation wheel compiled soak proto docs format clean

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{printf "make %-12s %s\n", $$1, $$2}'

demo: $(RUN_STAMP) ## run the gate with an embedded engine and a moving market; Ctrl-C stops it
	@$(BIN)/ordergate demo $(DEMO_OPTIONS)

test: $(TEST_STAMP) ## run all tests (PYTEST_OPTIONS='-k name' for some)
	$(BIN)/python -m pytest $(PYTEST_WORKERS) $(PYTEST_OPTIONS)

check: $(DEV_STAMP) ## lint, formatting, types, architecture, currency of generated files
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tools/generate_proto.py --check
	$(BIN)/python tools/generate_docs.py --check
	$(BIN)/python -m pytest -q tests/test_architecture.py

bench: $(BENCH_STAMP) ## measure what decisions, records, recoveries and orders cost, beside their yardsticks (RULES=compiled: with compiled rules)
ifeq ($(RULES),compiled)
	@PYTHON=$(BIN)/python ORDERGATE_COMPILE_LEVEL=3 tools/test_compiled.sh build/bench tests/test_builds.py
else ifneq ($(RULES),interpreted)
	$(error RULES is `$(RULES)`; give interpreted or compiled)
endif
	$(BENCH) $(BENCH_OPTIONS)
	$(BENCH).conduct $(CONDUCT_BENCH_OPTIONS)
	$(BENCH).memory $(MEMORY_BENCH_OPTIONS)
	$(BENCH).record $(RECORD_BENCH_OPTIONS)
	$(BENCH).recovery $(RECOVERY_BENCH_OPTIONS)
	$(BENCH).beside $(BESIDE_BENCH_OPTIONS)
	$(BENCH).rest $(REST_BENCH_OPTIONS)
	$(BENCH).edges $(EDGES_BENCH_OPTIONS)
	$(BENCH).grpc_orders $(GRPC_BENCH_OPTIONS)
	$(BENCH).overload $(OVERLOAD_BENCH_OPTIONS)
	$(BENCH).soak --minutes 1 $(SOAK_BENCH_OPTIONS)

manipulation: $(TEST_STAMP) ## show who is found in a flow with scripted manipulators
	$(BIN)/python -m tests.flows $(MANIPULATION_OPTIONS)

wheel: $(TEST_STAMP) ## build a wheel with compiled rules into dist/
	ORDERGATE_COMPILE=1 $(PIP) wheel --quiet --no-deps --wheel-dir dist .

compiled: $(TEST_STAMP) ## build the rules compiled and run the tests of the core on them
	@PYTHON=$(BIN)/python tools/test_compiled.sh build/compiled $(COMPILED_TESTS)

soak: $(TEST_STAMP) ## run the long versions of tests
	ORDERGATE_SOAK=1 $(BIN)/python -m pytest --timeout=3600 $(PYTEST_OPTIONS)

proto: $(DEV_STAMP) ## generate gateway/wire from proto/
	$(BIN)/python tools/generate_proto.py

docs: $(TEST_STAMP) ## generate the tables in docs/
	$(BIN)/python tools/generate_docs.py

format: $(DEV_STAMP) ## format the tree
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean: ## remove the virtual environment and caches
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .cache

# --- Set-up: once, and again when pyproject.toml changes --------------------------------------

$(RUN_STAMP): pyproject.toml tools/make_venv.sh
	@tools/make_venv.sh $(VENV)
	$(PIP) install --quiet --editable .
	@touch $@

$(TEST_STAMP): pyproject.toml tools/make_venv.sh
	@tools/make_venv.sh $(VENV)
	$(PIP) install --quiet --editable '.[test]'
	@touch $@ $(RUN_STAMP)

$(DEV_STAMP): pyproject.toml tools/make_venv.sh
	@tools/make_venv.sh $(VENV)
	$(PIP) install --quiet --editable '.[dev]'
	@touch $@ $(TEST_STAMP) $(RUN_STAMP)

# nautilus_trader has no wheel for some machines, and building it takes Rust and half an hour.
$(BENCH_STAMP): pyproject.toml tools/make_venv.sh
	@tools/make_venv.sh $(VENV)
	$(PIP) install --quiet --editable '.[bench]' --only-binary nautilus_trader || { \
		echo "make: no yardsticks from PyPI; the benchmarks say what they leave out" >&2; \
		$(PIP) install --quiet --editable '.[test]'; }
	@touch $@ $(TEST_STAMP) $(RUN_STAMP)
