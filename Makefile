# make demo | test | bench: the first call installs what it needs.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.PHONY: help setup setup-test setup-docs docs demo test lint types unit bench lock clean

VENV   := .venv
PY     := $(VENV)/bin/python
CORES  ?= $(shell nproc)
# One more than cores: some tests wait for Slurm or for a browser.
WORKERS ?= $(shell expr $(CORES) + 1)
DEMO   ?= demo
SEED   ?= 1

export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)

help:
	@echo "make demo    write a synthetic patient, run the pipeline on it, print the path of the report"
	@echo "make test    lint, types, the documentation site and all tests"
	@echo "make docs    build the documentation site in build/docs"
	@echo "make bench   compare the speed with other software"
	@echo "make lock    pin the newest versions that pyproject.toml allows, with hashes"

$(VENV)/.runtime-ready: envs/requirements.lock envs/requirements-group.lock envs/setup.sh pyproject.toml
	@envs/setup.sh runtime

$(VENV)/.test-ready: envs/requirements-test.lock $(VENV)/.runtime-ready
	@envs/setup.sh test

$(VENV)/.docs-ready: envs/requirements-docs.lock $(VENV)/.runtime-ready
	@envs/setup.sh docs

setup: $(VENV)/.runtime-ready
setup-test: $(VENV)/.test-ready
setup-docs: $(VENV)/.docs-ready

demo: setup
	virtualbrain demo $(DEMO)/bids --seed $(SEED) --if-missing
	virtualbrain run $(DEMO)/bids $(DEMO)/out --cores $(CORES) --config config/quick.yaml
	virtualbrain score $(DEMO)/bids $(DEMO)/out

# Two at a time: types and docs use one core each; the tests start when the first of them ends.
test: setup-test setup-docs lint
	@$(MAKE) --no-print-directory --jobs=2 types docs unit

lint: setup-test
	ruff check .
	ruff format --check .
	snakefmt --check Snakefile workflow

types: setup-test
	mypy

unit: setup-test setup-docs
	pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder

docs: setup-docs
	sphinx-build --fail-on-warning --keep-going --quiet docs build/docs
	@echo "$(CURDIR)/build/docs/index.html"

bench: setup-test
	$(PY) tests/benchmarks/run.py

lock: setup
	envs/lock.sh

clean:
	rm -rf $(VENV) .cache .snakemake
