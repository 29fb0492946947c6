# Gurney's verbs. `make help` lists them; README and CONTRIBUTING explain them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
export PATH := $(PATH):/usr/local/sbin:/usr/sbin:/sbin
PYTHON_BIN := .venv/bin/python
PYTEST := $(PYTHON_BIN) -m pytest
LOCK := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header

.PHONY: help setup demo test quick check live golden bench docs chaos lock format peers

help: ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

setup: ## all that is needed, into .venv, so that .venv/bin/gurney runs (PYTHON=python3.13 chooses the Python)
	@tools/setup

demo: setup ## a small hospital on this machine, to look at and to break (without a terminal: gurney demo --check)
	@.venv/bin/gurney demo

peers: ## DCMTK, Orthanc, HAProxy, strace, iproute2 and systemd from Debian (installed when root, else named as not proven)
	@tools/peers

test: setup peers check ## everything: the gates and all tests, the live ones at small counts (<= 15 minutes on 2 cores, where most tests wait most of the time: 3 workers)
	@status=0; \
	$(PYTEST) -q -n 3 --dist worksteal -m 'not alone' --ignore tests/layout || status=1; \
	echo "alone on the machine:"; \
	$(PYTEST) -q -m alone --ignore tests/layout || status=1; \
	exit $$status

quick: setup ## the pure rooms and the gates on layout, in less than a minute
	@GURNEY_COUNTS=quick $(PYTEST) -q -n 2 -m 'not live' $$($(PYTHON_BIN) -m tools.selection quick)

check: setup ## ruff, mypy --strict, import order, layout of files
	@status=0; \
	.venv/bin/ruff check --quiet . || status=1; \
	.venv/bin/ruff format --check . >/dev/null 2>&1 || { .venv/bin/ruff format --check . 2>&1 | grep -E -- '-->'; echo "make format mends these"; status=1; }; \
	.venv/bin/mypy || status=1; \
	PYTHONPATH=src .venv/bin/lint-imports | tail -n 6; [ $${PIPESTATUS[0]} = 0 ] || status=1; \
	$(PYTEST) -q tests/layout || status=1; \
	exit $$status

live: setup peers ## real programs on loopback, each test with its counts: make live ONLY=dicom | dicom-17 | http | http-15 | reliability
	@GURNEY_COUNTS=$${GURNEY_COUNTS:-live} $(PYTEST) -q -s -m live -k "$$($(PYTHON_BIN) -m tools.selection live $(ONLY))" tests/live

golden: setup ## documents against the exact engine files and the exact diagnostics
	@$(PYTEST) -q tests/golden tests/refused

bench: setup ## Gurney beside HAProxy and others in one run, as ratios: make bench ONLY=dicom | dicom-quick | dicom-full | http
	@tools/peers bench
	@$(PYTHON_BIN) -m bench $(ONLY)

docs: setup ## docs/reference from the code, then every test of the documentation
	@$(PYTHON_BIN) -m tools.reference
	@$(PYTEST) -q tests/docs

chaos: setup peers check ## everything at large counts (<= 60 minutes)
	@GURNEY_COUNTS=chaos $(PYTEST) -q -s --timeout 3600

format: setup ## ruff's fixes and format
	@.venv/bin/ruff check --quiet --fix .
	@.venv/bin/ruff format .

lock: ## requirements/*.txt anew from pyproject.toml and requirements/*.in (needs uv)
	@command -v uv >/dev/null || { echo "make lock needs uv"; exit 1; }
	$(LOCK) -o requirements/run.txt pyproject.toml
	$(LOCK) -o requirements/build.txt requirements/build.in
	$(LOCK) -o requirements/dev.txt pyproject.toml requirements/dev.in
