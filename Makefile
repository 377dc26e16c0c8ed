# `make` lists what can be made. Everything happens in .venv; the first call of a target installs what it needs.
PYTHON ?= $(firstword $(shell command -v python3.11 python3.12 python3.13 python3))
BIN := .venv/bin
scale ?= full
mode ?= offline
BADGER := $(BIN)/badger-sweeps
INSTALL := $(BIN)/python -m pip install --disable-pip-version-check --constraint constraints.txt
# Compiled modules are kept, or every process that a test starts compiles them again.
PYTEST := PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest --numprocesses auto --dist loadgroup

.DEFAULT_GOAL := help
.PHONY: help quickstart studies study-all replication report watch dashboard sync workspace bench performance test test-all lint format browser

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z%-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

quickstart: .venv/installed ## install, compare two architectures, search for settings that shorten plateaus, and build reports
	@$(BADGER) study=quickstart
	@$(BADGER) report runs/quickstart
	@$(BADGER) study=shorten_plateaus scale=quick
	@$(BADGER) report runs/shorten_plateaus_quick

studies: .venv/installed ## list the standard studies: name, question, expected time
	@$(BADGER) studies

study-all: .venv/installed-studies ## run all standard studies of the document's claims, one after another; scale=quick: 15 minutes
	@for name in $$($(BADGER) studies --names); do $(MAKE) --no-print-directory study-$$name || exit $$?; done

study-%: .venv/installed-studies ## run the standard study NAME and judge its claim: make study-NAME [scale=quick] [seeds='[8,9,...]']
	@$(BADGER) study $* scale=$(scale) $(if $(seeds),'seeds=$(seeds)')

replication: .venv/installed-studies ## write docs/replication.md, with figures, from what the standard studies left: make replication [RUNS=runs]
	@$(BADGER) replication $(if $(RUNS),"$(RUNS)")

dashboard: .venv/installed-dashboard ## show a search in Optuna's dashboard, on 127.0.0.1: make dashboard RUNS=DIR (default: the newest search)
	@$(BADGER) dashboard $(if $(RUNS),"$(RUNS)")

report: .venv/installed ## print the result table of the runs below a folder and build its report.html: make report RUNS=DIR
	@$(BADGER) report $(if $(RUNS),"$(RUNS)")

watch: .venv/installed ## show the report of runs while they are going, on 127.0.0.1: make watch RUNS=DIR
	@$(BADGER) watch $(if $(RUNS),"$(RUNS)")

sync: .venv/installed ## send to W&B what is kept below a folder, once: make sync RUNS=DIR
	@$(BADGER) sync $(if $(RUNS),"$(RUNS)")

workspace: .venv/installed ## make a W&B workspace for the runs below a folder, as JSON: make workspace RUNS=DIR, and with mode=online in W&B
	@$(BADGER) workspace $(if $(RUNS),"$(RUNS)") --mode "$(mode)"

bench: .venv/installed-bench ## race peers and us side by side, print tables and what fell (an hour): make bench [only=EXPRESSION] [resume=yes] [suite=yes]
	$(BIN)/python -m pytest benchmarks --override-ini addopts= --override-ini 'python_files=bench_*.py' -p no:xdist -p no:jaxtyping \
		--quiet --benchmark-disable-gc --benchmark-columns=rounds --benchmark-autosave --benchmark-storage=benchmarks/results \
		$(if $(only),-k "$(only)") $(if $(resume),--unmeasured) $(if $(suite),--suite)

performance: .venv/installed-bench ## write docs/performance.md from what `make bench` stored
	$(BIN)/python -m benchmarks.performance

test: .venv/installed-dev browser ## install and run the tests, except those marked slow
	$(PYTEST) -m "not slow"

test-all: .venv/installed-dev browser ## install and run all tests
	$(PYTEST)

lint: .venv/installed-dev ## check style, types and the direction of imports
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: .venv/installed-dev ## rewrite the code in the project's style
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

browser: .venv/installed-dev # for the tests that look at the report
	@BIN=$(BIN) tests/install_browser.sh

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/installed: .venv/bin/python pyproject.toml constraints.txt
	$(INSTALL) --editable .
	@touch $@

.venv/installed-%: .venv/bin/python pyproject.toml constraints.txt # with an extra of pyproject.toml
	$(INSTALL) --editable ".[$*]"
	@touch $@ .venv/installed
