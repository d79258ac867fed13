# Works with nothing but Python >= 3.11, make and git: it installs the rest from PyPI into VENV; for the tests also the
# clients in JavaScript from npm, with a Node from PyPI, and a Chromium, where there is none, from the system's packages.
#
#   make test PYTHON=python3.12      with this interpreter (once made, VENV keeps its own: see `make clean`)
#   make test TESTS="tests/log -x"   these tests, and any of pytest's options
#   make test JOBS=4                 in so many processes
#   make test-newest                 with the newest DSPy only; test-oldest likewise
#   make bench BENCH="chunks load"   these benchmarks, and any options of `python -m benchmarks`

VENV ?= .venv
CONSTRAINTS ?= constraints.txt
JOBS ?= 2
TESTS ?=
BENCH ?=
export PYTHON

BIN := $(VENV)/bin
RUNTIME := $(VENV)/.installed-runtime
DEV := $(VENV)/.installed-dev
PEERS := $(VENV)/.installed-bench
OLDEST := .venv-oldest
OLDEST_TEST := $(OLDEST)/.installed-test
CLIENTS := tests/clients/node_modules/.installed
# What knows nothing of DSPy is tested with the newest alone.
ONCE := tests/wire tests/server/page
CODE := $(wildcard src tests benchmarks examples)

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo test test-newest test-oldest nightly check format bench lock clean chromium

help: ## Show what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' Makefile

demo: $(RUNTIME) ## Watch a program stream in the terminal: no key, no network
	@$(BIN)/fieldstream demo

test: check test-newest test-oldest ## Check everything, and test it with the newest and with the oldest DSPy
	@echo "Tested with:"
	@$(BIN)/python -m tests.support.versions
	@$(OLDEST)/bin/python -m tests.support.versions

test-newest: $(DEV) $(CLIENTS) chromium
	$(BIN)/python -m pytest -n $(JOBS) $(TESTS)

test-oldest: $(OLDEST_TEST) $(CLIENTS) chromium
	$(OLDEST)/bin/python -m pytest -n $(JOBS) $(ONCE:%=--ignore=%) $(TESTS)

nightly: $(DEV) ## Test 100,000 generated signatures, values, formats and splits, streamed against called
	FIELDSTREAM_HYPOTHESIS_PROFILE=nightly $(BIN)/python -m pytest -n $(JOBS) tests/corpus $(TESTS)

check: $(DEV) ## Check style, types and architecture
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/basedpyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports --no-cache

format: $(DEV) ## Put the code in order
	$(BIN)/ruff check --fix $(CODE)
	$(BIN)/ruff format $(CODE)

bench: $(PEERS) ## Measure, next to dspy.streamify, DSPy's bare LM call and others: a table, and build/bench.json
	$(BIN)/python -m benchmarks $(BENCH)

lock: $(DEV) ## Renew the constraints: the newest of everything, and with the oldest DSPy
	scripts/lock $(BIN)/python

clean: ## Remove what make has made
	rm -rf .venv $(OLDEST) $(dir $(CLIENTS)) build dist .pytest_cache .ruff_cache .hypothesis
	find $(CODE) -name __pycache__ -type d -prune -exec rm -rf {} +

$(RUNTIME): pyproject.toml $(CONSTRAINTS) scripts/setup
	scripts/setup $(VENV) $(CONSTRAINTS) terminal,server
	@touch $@

$(DEV): pyproject.toml $(CONSTRAINTS) scripts/setup
	scripts/setup $(VENV) $(CONSTRAINTS) dev
	@touch $@ $(RUNTIME)

$(PEERS): pyproject.toml $(CONSTRAINTS) scripts/setup
	scripts/setup $(VENV) $(CONSTRAINTS) bench
	@touch $@ $(DEV) $(RUNTIME)

$(OLDEST_TEST): pyproject.toml constraints-oldest.txt scripts/setup
	scripts/setup $(OLDEST) constraints-oldest.txt terminal,test
	@touch $@

# The DEV environment's Node installs them, also where only the oldest DSPy is tested.
$(CLIENTS): tests/clients/package.json tests/clients/package-lock.json scripts/npm-ci | $(DEV)
	scripts/npm-ci $(BIN)/python $(<D)
	@touch $@

chromium: $(DEV)
	@$(BIN)/python -m tests.support.chromium >/dev/null || \
		scripts/system-packages chromium fonts-dejavu-core fonts-noto-core
