# Every command a person needs. The work is in runner/ (Python, standard library only), so that each line here is one door.
# PYTHON= names another interpreter; 3.11 or newer.
PYTHON ?= python3
.DEFAULT_GOAL := help

.PHONY: up down test faults check bench lock help

up: ## set up what is missing and run everything at http://127.0.0.1:8000 (PORT=8010 changes the port); Ctrl-C stops it
	@exec $(PYTHON) -m runner up --with-parent

down: ## stop what `make up` started, from another terminal
	@exec $(PYTHON) -m runner down

test: ## the whole test suite, browser journeys included (ARGS="tests/intake -x" goes to pytest)
	@exec $(PYTHON) -m runner test

faults: ## kill real processes at 200 random instants and reconcile a ledger kept outside (FAULTS_SEED=, FAULTS_KILLS=)
	@exec $(PYTHON) -m runner faults

check: ## format, lint, types, import contracts, migrations in step, deployment settings
	@exec $(PYTHON) -m runner check

bench: ## the benchmark suite; prints a table and writes var/bench.jsonl
	@exec $(PYTHON) -m runner bench

lock: ## resolve pyproject.toml into requirements/base.txt and requirements/dev.txt, hashed
	@exec $(PYTHON) -m runner lock

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-7s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
