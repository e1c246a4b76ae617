# make demo | test | bench: the first call installs what it needs.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.PHONY: help setup setup-test demo test lint types unit bench lock clean

VENV   := .venv
PY     := $(VENV)/bin/python
CORES  ?= $(shell nproc)
DEMO   ?= demo
SEED   ?= 1

export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)

help:
	@echo "make demo    write a synthetic patient, run the pipeline on it, print the path of the report"
	@echo "make test    lint, types and all tests"
	@echo "make bench   compare the speed with other software"
	@echo "make lock    pin the newest versions that pyproject.toml allows, with hashes"

$(VENV)/.runtime-ready: envs/requirements.lock envs/requirements-group.lock envs/setup.sh pyproject.toml
	@envs/setup.sh runtime

$(VENV)/.test-ready: envs/requirements-test.lock $(VENV)/.runtime-ready
	@envs/setup.sh test

setup: $(VENV)/.runtime-ready
setup-test: $(VENV)/.test-ready

demo: setup
	virtualbrain demo $(DEMO)/bids --seed $(SEED) --if-missing
	virtualbrain run $(DEMO)/bids $(DEMO)/out --cores $(CORES) --config config/quick.yaml
	virtualbrain score $(DEMO)/bids $(DEMO)/out

test: lint types unit

lint: setup-test
	ruff check .
	ruff format --check .
	snakefmt --check Snakefile workflow

types: setup-test
	mypy

unit: setup-test
	pytest --numprocesses $(CORES) --dist loadfile --no-loadscope-reorder

bench: setup-test
	$(PY) tests/benchmarks/run.py

lock: setup
	envs/lock.sh

clean:
	rm -rf $(VENV) .cache .snakemake
