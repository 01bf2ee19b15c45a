# `make run` and `make test` need python3, pip and make; the rest is made in .venv.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Processes of the test suite; tests that wait leave room for one more than a small machine has.
JOBS ?= 3
# Words for analysis.py, such as ARGS="--general.max_files=1".
ARGS ?=
# Runs that the nightly campaign kills.
KILLS ?= 1000
# Size of the built-in sample; empty means its default.
EVENTS ?=

.DEFAULT_GOAL := help
.PHONY: help setup run test coverage nightly benchmark lint format docs lab clean distclean

help:  ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST)

setup: $(STAMP)  ## make the environment in .venv

# Where Python comes without ensurepip (Debian), the pip outside makes the one inside.
$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
	  { echo "hepflow needs Python 3.11 to 3.13, and $(PYTHON) is none. Try: make setup PYTHON=python3.12"; exit 1; }
	@test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV) 2>/dev/null || \
	  { $(PYTHON) -m venv --clear --without-pip $(VENV) && $(PYTHON) -m pip --python $(BIN)/python install pip; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@

run: $(STAMP)  ## run the whole chain on the built-in sample
	$(if $(EVENTS),HEPFLOW_SAMPLE_EVENTS=$(EVENTS)) $(BIN)/python analysis.py $(ARGS)

test: $(STAMP)  ## all tests except the long campaigns
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal -m "not nightly" $(ARGS)

coverage: $(STAMP)  ## which lines and which messages the tests execute
	$(BIN)/python -m pytest -n $(JOBS) -m "not nightly and not campaign" --cov --cov-report=term $(ARGS)
	$(BIN)/python tests/check_messages.py

nightly: $(STAMP)  ## long campaigns, coverage, and the suite on other Python versions
	$(BIN)/python -m pytest -m nightly $(ARGS)
	$(MAKE) coverage
	$(BIN)/python -m benchmarks.kills --kills $(KILLS)
	$(BIN)/python -m benchmarks.planning
	$(BIN)/python -m benchmarks.overhead
	@PYTHON312="$(PYTHON312)" PYTHON313="$(PYTHON313)" .ci/other-pythons

benchmark: $(STAMP)  ## 100 variations with hepflow, coffea and RDataFrame, side by side
	$(BIN)/python -m benchmarks.variations $(ARGS)

lint: $(STAMP)  ## style, types and the floors of the architecture
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy analysis.py
	$(BIN)/lint-imports

format: $(STAMP)  ## apply the formatter and its safe corrections
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(STAMP)  ## write the generated pages of docs/reference
	$(BIN)/python docs/generate_reference.py

lab: $(STAMP)  ## open the notebooks
	$(BIN)/jupyter lab notebooks

clean:  ## remove what runs and tools have made; the sample in the user's cache stays
	rm -rf outputs .coverage .coverage.* htmlcov dist build
	rm -rf .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find src tests user analysis docs -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean  ## the same, and the environments
	rm -rf $(VENV) .venv-3.*
