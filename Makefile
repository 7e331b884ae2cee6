# The commands for work on doisoat; `make help` lists them. All packages are in .venv, which is made
# from uv.lock.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
UV := .uv/bin/uv
RUN := .venv/bin
SPREAD := -n 3 --dist loadfile --no-loadscope-reorder
export UV_PROJECT_ENVIRONMENT := .venv
export GX_ANALYTICS_ENABLED := false

.PHONY: help install demo ui test test-wide test-long graph check format bench clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  %-12s %s\n", $$1, $$2}'

$(UV):
	$(PYTHON) -c 'import sys; sys.exit("doisoat needs Python 3.11 to 3.13; say PYTHON=python3.12") if not (3, 11) <= sys.version_info < (3, 14) else None'
	$(PYTHON) -m venv .uv
	.uv/bin/pip install --quiet --disable-pip-version-check 'uv>=0.13,<0.14'

.venv/.installed: uv.lock pyproject.toml | $(UV)
	$(UV) sync --frozen --quiet --compile-bytecode --python $(PYTHON)
	@touch $@

install: .venv/.installed ## make the virtual environment from the lock file

demo: install ## run the main job on simulated registers in a real PostgreSQL
	$(RUN)/doisoat demo

ui: install ## open the Dagster UI on 127.0.0.1:3000
	$(RUN)/doisoat ui

test: install ## run the tests in three processes, one file at a time in each
	$(RUN)/pytest -m "not long and not wide" $(SPREAD) --durations=15

test-wide: install ## run the tests of further products and kinds of damage, and those that take long
	$(RUN)/pytest -m "wide and not long" $(SPREAD) --durations=5

test-long: install ## run the tests that take many minutes each
	$(RUN)/pytest -m long --timeout 7200 --durations=15

graph: install ## write tests/graph.txt anew, after an intended change of assets or checks
	$(RUN)/python -m tests.graph

check: install ## check format, lint, types and SQL style
	$(RUN)/ruff format --check .
	$(RUN)/ruff check .
	$(RUN)/mypy
	$(RUN)/sqlfluff lint --disable-progress-bar etl

format: install ## format code and SQL, and correct what can be corrected
	$(RUN)/ruff format .
	$(RUN)/ruff check --fix .
	$(RUN)/sqlfluff fix --disable-progress-bar etl

bench: install ## run the benchmarks; results are printed, not asserted
	$(RUN)/python -m benchmarks.simulate
	$(RUN)/python -m benchmarks.extract
	$(RUN)/python -m benchmarks.normalise

clean: ## delete what is generated
	rm -rf .venv .uv .doisoat .mypy_cache .pytest_cache .ruff_cache .hypothesis
