# `make demo` and `make test` do all the set-up. Every target is also a Python command: see docs/reference/targets.md.

# The interpreter of .venv. Empty: the first of python3.11, python3.12 and python3 that suits.
PYTHON ?=
VENV := .venv
RUN := $(VENV)/bin/python
IOT := $(VENV)/bin/iot
READY := $(VENV)/ready

.DEFAULT_GOAL := help
.PHONY: help demo live up down status logs reset test check acceptance audit chaos bench format lock

help: ## show the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

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

test: COVERED := --cov --cov-report=
test: $(READY) check ## everything, on the real stack; in the end how much of the code was run
	@$(RUN) -m pytest tests -m stack $(TWO) $(COVERED) --cov-append --maxschedchunk 1 --verbose --durations=10
	@$(RUN) -m scripts.coverage_report

acceptance: $(READY) ## what takes too long for every day: a million records, 32 faults, eleven ways, an overload, all benchmarks; an hour and a half
	@$(RUN) -m scripts.acceptance

chaos: $(READY) ## kill, freeze and starve every process and compare in the end, on a stack of its own [ROUNDS=n] [SEED=s]
	@$(RUN) -m scripts.chaos $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(SEED),--seed $(SEED))

bench: $(READY) ## measure everything beside its limits and beside other systems, on stacks of its own [QUICK=1] [RECORD=1]
	@$(RUN) -m scripts.bench $(if $(QUICK),--quick) $(if $(RECORD),--record)

check: $(READY) ## format, lint, types, layers, unit tests of the Python and the Java, known vulnerabilities
	@$(RUN) -m ruff format --check --quiet .
	@$(RUN) -m ruff check --quiet .
	@$(RUN) -m mypy .
	@$(VENV)/bin/lint-imports --no-logo --no-cache
	@rm -f .coverage .coverage.*
	@$(RUN) -m pytest tests -m "not stack" $(TWO) $(COVERED) --quiet
	@$(RUN) -m scripts.java_tests
	@$(RUN) -m scripts.vulnerabilities --warn

# Two processes run the tests, each on a stack of its own. One that dies fails the run.
TWO := --numprocesses 2 --max-worker-restart 0

audit: $(READY) ## known vulnerabilities of what is pinned; fails when there are any
	@$(RUN) -m scripts.vulnerabilities

format: $(READY) ## put the code into shape
	@$(RUN) -m ruff format .
	@$(RUN) -m ruff check --fix .

lock: $(READY) ## pin the requirements anew, for every Python that is supported
	@$(RUN) -m pip install --quiet uv
	@$(PIN) --output-file requirements.txt requirements.in
	@$(PIN) --output-file requirements-build.txt requirements-build.in
	@$(PIN) --output-file requirements-dev.txt requirements-dev.in
	@$(PIN) --output-file $(PEERS).txt $(PEERS).in

PEERS := scripts/bench/peers/requirements
# One file for all of them: what only some want has a marker.
PIN := $(RUN) -m uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
	--no-emit-index-url --no-emit-find-links

# An environment that does not run, or was not made by the PYTHON that is named, is made anew.
WHO := -c 'import sys; print(sys.version, sys.base_prefix)'
ANEW := $(shell test "$$($(RUN) $(WHO) 2>&1)" = "$$($(or $(PYTHON),$(RUN)) $(WHO) 2>/dev/null)" || echo anew)
.PHONY: anew
anew:

$(READY): $(ANEW) requirements.txt requirements-dev.txt pyproject.toml infrastructure/version.py
	@sh scripts/environment.sh "$(PYTHON)"
	@touch $@
