# Needs only make and Python 3.11 or newer: the first target that needs them makes .venv
# and fills it with the pinned packages of requirements/. PYTHON=python3.12 picks another one.

PYTHON = python3
VENV = .venv
BIN = $(VENV)/bin
PIP = $(BIN)/python -m pip -qq --disable-pip-version-check
COMPILE = $(BIN)/pip-compile --quiet --generate-hashes --strip-extras --no-header --no-annotate \
	--no-emit-options --no-emit-index-url --no-emit-find-links --no-emit-trusted-host \
	--unsafe-package pandas \
	--unsafe-package pip --unsafe-package setuptools

# What runs is this checkout, whatever the caller's shell has set up.
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV

.PHONY: help demo test check bench format clean requirements static

help:
	@echo "make demo          keep and get back real data; leaves a repository to go on with"
	@echo "make test          all checks and all tests"
	@echo "make check         format, lint, types, layers and unit tests, in under a minute"
	@echo "make bench         measure against a plain write and against peers, as ratios"
	@echo "make format        format the code and mend what can be mended"
	@echo "make requirements  write requirements/*.txt anew from *.in (newest versions)"
	@echo "make clean         remove all that the other targets made, .venv too"

demo: $(VENV)/.demo
	@$(BIN)/python examples/demo.py

test: $(VENV)/.dev static
	@$(BIN)/python -m pytest --cov --cov-report=term

check: $(VENV)/.dev static
	@$(BIN)/python -m pytest -q tests/unit

# Cached, the import graph misses that a module has been added.
static: $(VENV)/.dev
	@$(BIN)/ruff format --check --quiet --output-format concise || { echo "make format puts the files above in order"; exit 1; }
	@$(BIN)/ruff check --quiet
	@$(BIN)/mypy --no-error-summary
	@report=$$($(BIN)/lint-imports --no-logo --no-cache 2>&1) || { echo "$$report"; exit 1; }
	@echo "format, lint, types and layers are in order"

bench: $(VENV)/.dev
	@$(BIN)/python -m bench

format: $(VENV)/.dev
	@$(BIN)/ruff check --fix --quiet --exit-zero
	@$(BIN)/ruff format

clean:
	rm -rf $(VENV) dist demo-data bench/.envs bench/.work htmlcov .coverage .coverage.* .hypothesis \
		.import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The lists are complete, so --no-deps is right; with hashes nothing else can slip in.
requirements: $(VENV)/.dev
	@set -e; cd requirements; for list in demo dev; do \
		../$(COMPILE) --upgrade --output-file $$list.txt $$list.in; \
		sed -i.old -e '/^# WARNING/,$$d' $$list.txt; rm $$list.txt.old; \
	done

$(VENV)/.demo: requirements/demo.txt pyproject.toml src/kist/_version.py | $(BIN)/python
	@$(call install,demo)

$(VENV)/.dev: requirements/dev.txt pyproject.toml src/kist/_version.py | $(BIN)/python
	@$(call install,dev)
	@touch $(VENV)/.demo

# One line, because it is used inside recipes.
install = echo "installing the packages of requirements/$(1).txt into $(VENV) ..." && $(PIP) install --no-deps --require-hashes --requirement requirements/$(1).txt && $(PIP) install --no-deps --no-build-isolation --editable . && touch $@

$(BIN)/python:
	@command -v $(PYTHON) >/dev/null || { echo "kist needs Python 3.11 or newer, and there is no $(PYTHON); try: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "kist needs Python 3.11 or newer, this is $$($(PYTHON) --version 2>&1); try: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -m venv --clear $(VENV)
