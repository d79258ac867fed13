# Works with nothing but Python >= 3.11, make and git: it installs the rest from PyPI into VENV.
#
#   make test PYTHON=python3.12      with this interpreter (once made, VENV keeps its own: see `make clean`)
#   make test TESTS="tests/log -x"   these tests, and any of pytest's options
#   make test JOBS=4                 in so many processes

VENV ?= .venv
CONSTRAINTS ?= constraints.txt
JOBS ?= 2
TESTS ?=
export PYTHON

BIN := $(VENV)/bin
RUNTIME := $(VENV)/.installed-runtime
DEV := $(VENV)/.installed-dev
CODE := $(wildcard src tests benchmarks examples)

.DEFAULT_GOAL := help
.PHONY: help demo test tests-alone test-oldest check format bench lock clean

help: ## Show what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' Makefile

demo: $(RUNTIME) ## Watch a program stream in the terminal: no key, no network
	@$(BIN)/fieldstream demo

test: check tests-alone ## Check and test everything

tests-alone: $(DEV)
	@$(BIN)/python -c 'import platform as p; from importlib.metadata import version as v; print( \
	"Python", p.python_version(), "| DSPy", v("dspy"), "| LiteLLM", v("litellm"), "|", p.system(), p.machine(), flush=True)'
	$(BIN)/python -m pytest -n $(JOBS) $(TESTS)

test-oldest: ## Test with the oldest DSPy that we support
	$(MAKE) VENV=.venv-oldest CONSTRAINTS=constraints-oldest.txt tests-alone

check: $(DEV) ## Check style, types and architecture
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/basedpyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports --no-cache

format: $(DEV) ## Put the code in order
	$(BIN)/ruff check --fix $(CODE)
	$(BIN)/ruff format $(CODE)

bench: $(DEV) ## Measure, next to dspy.streamify and DSPy's bare LM call
	$(BIN)/python -m benchmarks

lock: $(DEV) ## Renew the constraints: the newest of everything, and with the oldest DSPy
	scripts/lock $(BIN)/python

clean: ## Remove what make has made
	rm -rf .venv .venv-oldest build dist .pytest_cache .ruff_cache .hypothesis
	find $(CODE) -name __pycache__ -type d -prune -exec rm -rf {} +

$(RUNTIME): pyproject.toml $(CONSTRAINTS) scripts/setup
	scripts/setup $(VENV) $(CONSTRAINTS) terminal
	@touch $@

$(DEV): pyproject.toml $(CONSTRAINTS) scripts/setup
	scripts/setup $(VENV) $(CONSTRAINTS) terminal,dev
	@touch $@ $(RUNTIME)
