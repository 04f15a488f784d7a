# `make demo` and `make test` do all the set-up. Every target is also a Python command: see docs/reference/targets.md.

PYTHON ?= python3.11
VENV := .venv
RUN := $(VENV)/bin/python
IOT := $(VENV)/bin/iot
READY := $(VENV)/ready

.DEFAULT_GOAL := help
.PHONY: help demo live up down status logs reset test check audit chaos bench format lock

help: ## show the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 10

demo: $(READY) ## fourteen simulated days through the whole system, compared with pandas
	@$(IOT) demo

live: $(READY) ## the same at the original pace, 15 minutes in a second, until Ctrl-C
	@$(IOT) live

up: $(READY) ## start everything: Kafka, Redis, Flink, topics, job, bridge, board
	@$(IOT) up

down: $(READY) ## stop everything; the data stay
	@$(IOT) down

status: $(READY) ## processes, job, lag, rates, rejects; fails when something is not well
	@$(IOT) status

logs: $(READY) ## follow every log
	@$(IOT) logs

reset: $(READY) ## stop everything and delete all data, after asking
	@$(IOT) reset

test: $(READY) check ## everything, on the real stack
	@$(RUN) -m pytest tests -m stack $(TWO) --maxschedchunk 1 --verbose --durations=10

chaos: $(READY) ## kill, freeze and starve every process and compare in the end, on a stack of its own [ROUNDS=n] [SEED=s]
	@$(RUN) -m scripts.chaos $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(SEED),--seed $(SEED))

bench: $(READY) ## measure everything beside its limits and beside other systems, on stacks of its own [QUICK=1] [RECORD=1]
	@$(RUN) -m scripts.bench $(if $(QUICK),--quick) $(if $(RECORD),--record)

check: $(READY) ## format, lint, types, layers, unit tests of the Python and the Java, known vulnerabilities
	@$(RUN) -m ruff format --check --quiet .
	@$(RUN) -m ruff check --quiet .
	@$(RUN) -m mypy .
	@$(VENV)/bin/lint-imports --no-logo --no-cache
	@$(RUN) -m pytest tests -m "not stack" $(TWO) --quiet
	@$(RUN) -m scripts.java_tests
	@$(RUN) -m scripts.vulnerabilities --warn

# Two processes run the tests, each on a stack of its own. One that dies fails the run.
TWO := --numprocesses 2 --max-worker-restart 0

audit: $(READY) ## known vulnerabilities of what is pinned; fails when there are any
	@$(RUN) -m scripts.vulnerabilities

format: $(READY) ## put the code into shape
	@$(RUN) -m ruff format .
	@$(RUN) -m ruff check --fix .

lock: $(READY) ## pin the requirements anew
	@$(RUN) -m pip install --quiet pip-tools
	@$(RUN) -m piptools compile $(PIN) --output-file requirements.txt requirements.in
	@$(RUN) -m piptools compile $(PIN) --output-file requirements-build.txt requirements-build.in
	@$(RUN) -m piptools compile $(PIN) --allow-unsafe --output-file requirements-dev.txt requirements-dev.in
	@$(RUN) -m piptools compile $(PIN) --output-file $(PEERS).txt $(PEERS).in

PEERS := scripts/bench/peers/requirements
PIN := --quiet --generate-hashes --strip-extras --no-header --no-emit-index-url --no-emit-find-links

$(READY): requirements.txt requirements-dev.txt
	@command -v $(PYTHON) >/dev/null || { echo "error: $(PYTHON) is not there; install Python 3.11 or set PYTHON=" >&2; exit 1; }
	@echo "installing the Python packages (once, a minute or two)"
	@test -x $(RUN) || $(PYTHON) -m venv $(VENV)
	@$(RUN) -m pip install --quiet --disable-pip-version-check -r requirements.txt -r requirements-dev.txt
	@touch $@
