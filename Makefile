# Everything starts here, from a fresh clone with python 3.11 or newer, make and git.
#
#   make demo        a first sync and a delta against a sandbox, checked against its truth
#   make dev         Dagster's UI and daemon, with the sandbox or your own account
#   make test        all the tests
#   make quick       those that take a few minutes: not end to end, hostile, browser, canaries, oracle, promises
#   make soak        random lives of sources and syncs against the truth, for MINUTES (30)
#   make bench       side by side with dlt, Django and a bare loop (about half an hour)
#   make check       format, lint, types, quick tests: before each commit
#   make check-all   the same with all the tests: what CI runs
#   make entities    docs/entities.md, from the declarations

PYTHON ?= $(or $(shell command -v python3.11 || command -v python3.12 || command -v python3.13),python3)
VENV   ?= .venv
BIN    := $(VENV)/bin
# Not the script of that name: its first line cannot hold every path.
CRM_SYNC := $(BIN)/python -m crm_sync_assets.cli
WORKERS ?= 2
MINUTES ?= 30

# A stamp per set of dependencies: pip runs once, and again when they change.
RUNTIME := $(VENV)/.installed
DEV     := $(VENV)/.installed-dev
NEEDS   := pyproject.toml constraints.txt

.DEFAULT_GOAL := help
.PHONY: help demo dev test quick soak bench check check-all static format entities clean

help:
	@sed -n 's/^#   //p' Makefile

demo: $(RUNTIME)
	@$(CRM_SYNC) demo

dev: $(RUNTIME)
	@$(CRM_SYNC) dev

# Each worker takes its share in order, so that a module's fixtures are made once or twice; who is
# done first takes over from the other.
PYTEST = $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

test: $(DEV)
	$(PYTEST)

quick: $(DEV)
	$(PYTEST) -m 'not live and not slow and not thorough'

soak: $(DEV)
	$(BIN)/python -m crm_sync_assets_tests.oracle.soak --minutes $(MINUTES) $(if $(SEED),--seed $(SEED))

bench: $(DEV)
	$(BIN)/python -m benchmarks --latency

check: static quick

check-all: static test

static: $(DEV)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy --strict
	$(BIN)/lint-imports --no-logo --no-cache

format: $(DEV)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

entities: $(RUNTIME)
	$(CRM_SYNC) entities --markdown

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis build *.egg-info

$(BIN)/python:
	@case "$(VENV)" in /*) in="" ;; *) in="$$PWD/" ;; esac; \
	  case "$$in$(VENV)" in *'$$'*) \
	    echo "setuptools cannot install below $$in, whose \$$ it takes for a variable:" \
	      "make VENV=/another/folder …" >&2; exit 1 ;; esac
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "python 3.11 or newer is needed: make PYTHON=/path/to/python3.11 …" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
	  { rm -rf $(VENV); echo "on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }

$(RUNTIME): $(NEEDS) | $(BIN)/python
	@$(BIN)/python .ci/install.py -c constraints.txt -e '.[athena]'
	@touch $@

$(DEV): $(NEEDS) | $(BIN)/python
	@$(BIN)/python .ci/install.py -c constraints.txt -e '.[dev]'
	@touch $@ $(RUNTIME)
