# The whole set-up is two commands: make quickstart, make test. While working, make check says the most in a minute.

PYTHON ?= python3
BIN := .venv/bin

# glibc gives large blocks back to the kernel and takes them again in each training step, which
# took half of the time. These settings make it keep them.
KEEP_MEMORY := MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=99999999999 MALLOC_TOP_PAD_=268435456

# Containers often set it. Without bytecode each of the many processes that tests start compiles the sources anew.
unexport PYTHONDONTWRITEBYTECODE

# Which tests took how long is the end of what they print.
PYTEST := $(BIN)/pytest --durations=25 --durations-min=1

.DEFAULT_GOAL := help
.PHONY: help install quickstart check test test-all coverage lint format teacher clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: .venv/.installed ## make .venv with the pinned dependencies and the ose command

quickstart: .venv/.installed ## search, distil and export a student of the small teacher that comes along
	$(BIN)/ose quickstart

check: lint ## lint, types, and the quick tests, which need no Ray, no PostgreSQL and no process of their own
	$(PYTEST) -m 'not (ray or postgres or processes or slow or long or flood)'

test: .venv/.installed ## run the tests, of the long ones one of each kind
	$(PYTEST) -m 'not (long or flood)'

test-all: .venv/.installed ## run the long tests too
	$(PYTEST) -m 'not flood'

coverage: .venv/.installed ## which lines the unit tests run, in all processes that they start
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest tests/unit
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

lint: .venv/.installed ## ruff, mypy and the import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: .venv/.installed ## format the code and sort the imports
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

teacher: .venv/.installed ## train the quickstart's teacher again (hours; resumes where it stopped)
	$(KEEP_MEMORY) $(BIN)/python scripts/make_teacher.py

clean: ## remove .venv and the caches; results stay
	rm -rf .venv .pytest_cache .ruff_cache .mypy_cache .hypothesis .import_linter_cache .coverage .coverage.*
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/.installed: pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
		{ echo "OSE needs Python 3.11 or newer and $(PYTHON) is not; name one: make PYTHON=python3.11 ..." >&2; exit 1; }
	@echo 'Installing the pinned dependencies into .venv: minutes the first time.'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --requirement requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@
