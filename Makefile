# Needs python3 (3.11 or newer) with python3-venv, and make. Nothing is installed outside .venv.
#
#   make run      install what the service needs and show it at work; options: make run ARGS="--once --port 5001"
#   make install  only make .venv
#   make lint     ruff, import-linter and mypy
#   make test     every test that is quick enough to run each time
#   make auditor  build dist/usage-verify.pyz: the check of usage records as one file, for an auditor
#   make test-boot    units, bundles and upgrades on a booted system, and a cut network (needs root)
#   make nightly  the long ones: soak, fuzz, crash, fresh Debians, a busy machine
#   make bundle   what a server without network is installed from, in dist/; options: make bundle ARGS="--key release.pem"
#   make lock     bring the locks in line with pyproject.toml (needs uv); newest versions: make lock UPGRADE=--upgrade
#   make clean    remove .venv and everything else that was built

MAKEFLAGS += --no-print-directory
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
PIP := $(VENV)/bin/python -m pip --disable-pip-version-check --require-virtualenv
WORKERS ?= 3
UPGRADE ?=
# Otherwise each of the processes that the tests start would compile the program anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run install install-dev lint test test-boot auditor nightly bundle lock clean

run: install
	@exec $(VENV)/bin/appliance demo $(ARGS)

# The locks are complete, so pip resolves nothing (--no-deps): older ones would look up the extras of dependencies
# anew, and fail on the day that a newer version of one is published. tests/docs/test_locks.py proves that they are complete.
#
# What was installed is kept in the environment itself, so that an unchanged lock costs nothing, and a folder
# that was moved or a changed lock is seen for what it is.
define installed_from
	@{ pwd; cat $(1) pyproject.toml; } | cmp -s - $(VENV)/.from-$(1) || { \
	  echo "Installing what $(1) lists into $(VENV)" && \
	  $(PIP) install --no-deps --require-hashes -r $(1) && \
	  $(PIP) install --quiet --no-deps --no-build-isolation -e . && \
	  { pwd; cat $(1) pyproject.toml; } > $(VENV)/.from-$(1); }
endef

install: $(VENV)/bin/python
	$(call installed_from,requirements.lock)

install-dev: $(VENV)/bin/python
	$(call installed_from,requirements-dev.lock)

$(VENV)/bin/python:
	@command -v $(PYTHON) >/dev/null || { \
	  echo "error: $(PYTHON) was not found"; \
	  echo "hint: apt-get install python3 python3-venv"; exit 1; } >&2
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "error: Python 3.11 or newer is needed, and $(PYTHON) is $$($(PYTHON) -V 2>&1)"; \
	  echo "hint: name a newer one, for example: make run PYTHON=python3.12"; exit 1; } >&2
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "error: $(PYTHON) cannot make virtual environments: its venv package is not installed"; \
	  echo "hint: apt-get install python3-venv"; exit 1; } >&2
	@echo "Making $(VENV) with $$($(PYTHON) -V)"
	@rm -rf $(VENV) && $(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

lint: install-dev
	$(VENV)/bin/lint-imports --no-logo --no-cache
	$(VENV)/bin/python -m ruff check
	$(VENV)/bin/python -m ruff format --check
	$(VENV)/bin/python -m mypy

test: install-dev
	$(VENV)/bin/python -m pytest -n $(WORKERS) -m "not slow and not boot" $(ARGS)

test-boot: install-dev
	$(PIP) install --quiet --no-deps --require-hashes -r requirements-bundle.lock
	$(VENV)/bin/python -m pytest -n 2 -m "boot and not slow" --timeout=900 tests/system/boot $(ARGS)

nightly: install-dev
	$(PIP) install --quiet --no-deps --require-hashes -r requirements-bundle.lock
	$(VENV)/bin/python -m pytest -m slow --timeout=7200 $(ARGS)

auditor: install
	@$(VENV)/bin/python -m license.evidence.tool.zipapp dist/usage-verify.pyz

bundle: install-dev
	$(PIP) install --quiet --no-deps --require-hashes -r requirements-bundle.lock
	$(VENV)/bin/python packaging/build.py $(ARGS)

lock:
	uv pip compile $(UPGRADE) --quiet --universal --generate-hashes --no-header --no-annotate --python-version 3.11 \
	  --group build pyproject.toml -o requirements.lock
	uv pip compile $(UPGRADE) --quiet --universal --generate-hashes --no-header --no-annotate --python-version 3.11 \
	  --group build --group dev pyproject.toml -o requirements-dev.lock
	uv pip compile $(UPGRADE) --quiet --universal --generate-hashes --no-header --no-annotate --python-version 3.11 \
	  --group bundle -c requirements-dev.lock -o requirements-bundle.lock

clean:
	rm -rf $(VENV) build dist .demo .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info
	find appliance license recipes tests -name __pycache__ -type d -prune -exec rm -rf {} +
