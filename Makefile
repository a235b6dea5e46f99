# Needs python3 (3.11 or newer) with python3-venv, and make. Nothing is installed outside .venv.
# `make` alone lists the targets; the words behind ## are that list.

MAKEFLAGS += --no-print-directory
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
PIP := $(VENV)/bin/python -m pip --disable-pip-version-check --require-virtualenv
TEST_PROCESSES ?= 4
UPGRADE ?=
# Otherwise each of the processes that the tests start would compile the program anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help run install install-dev lint test coverage test-boot test-container nightly auditor bundle image manifests lock clean

help:  ## list these targets
	@echo "Targets:"
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r target text; do \
	  printf '%-18s %s\n' "$$target" "$$text"; done

run: install  ## install what the service needs and show it at work; options: make run ARGS="--once --port 5001"
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

install: $(VENV)/bin/python  ## only make .venv, with what the service needs
	$(call installed_from,requirements.lock)

install-dev: $(VENV)/bin/python  ## the same with what tests and development need
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

lint: install-dev  ## ruff, import-linter and mypy
	$(VENV)/bin/lint-imports --no-logo --no-cache
	$(VENV)/bin/python -m ruff check
	$(VENV)/bin/python -m ruff format --check
	$(VENV)/bin/python -m mypy

# Each file stays with one worker, and so do the services that it shares. The long ones come first.
PYTEST := $(VENV)/bin/python -m pytest -n $(TEST_PROCESSES) --dist loadfile --no-loadscope-reorder
QUICK := -m "not slow and not boot and not container"

test: install-dev  ## every test that is quick enough to run each time; options: make test ARGS=tests/docs
	$(PYTEST) $(QUICK) $(ARGS)

# Not in `make test`: measuring costs half as much time again.
coverage: install-dev  ## the tests of `make test` with the lines they do not reach, in .coverage-report/
	$(PYTEST) $(QUICK) --cov --cov-report=term:skip-covered --cov-report=html:.coverage-report $(ARGS)

test-boot: install-dev  ## units, bundles and upgrades on a booted system, and a cut network (needs root)
	$(PIP) install --quiet --no-deps --require-hashes -r requirements-bundle.lock
	$(VENV)/bin/python -m pytest -n 2 -m "boot and not slow" --timeout=900 tests/system/boot $(ARGS)

test-container: install-dev  ## the documented docker lines with a real engine (needs root and podman)
	$(PIP) install --quiet --no-deps --require-hashes -r requirements-bundle.lock
	$(VENV)/bin/python -m pytest -m "container and not slow" --timeout=900 tests/system/container $(ARGS)

nightly: install-dev  ## the long ones: soak, fuzz, crash, fresh Debians, a busy machine, coverage
	$(PIP) install --quiet --no-deps --require-hashes -r requirements-bundle.lock
	$(VENV)/bin/python -m pytest -m slow --timeout=7200 --hypothesis-profile=other $(ARGS)
	$(MAKE) coverage ARGS=--hypothesis-profile=other

auditor: install  ## build dist/usage-verify.pyz: the check of usage records as one file, for an auditor
	@$(VENV)/bin/python -m license.evidence.tool.zipapp dist/usage-verify.pyz

bundle: install-dev  ## what a server without network is installed from, in dist/; options: make bundle ARGS="--key release.pem"
	$(PIP) install --quiet --no-deps --require-hashes -r requirements-bundle.lock
	$(VENV)/bin/python packaging/build.py $(ARGS)

image: install-dev  ## the images, from the newest bundle in dist/; options: make image ARGS="--base IMAGE --key release.pem"
	$(VENV)/bin/python packaging/image/build.py $(ARGS)

manifests: install-dev  ## render docs/deploy/site out of the Helm chart beside it
	@$(VENV)/bin/python packaging/manifests.py

lock:  ## bring the locks in line with pyproject.toml (needs uv); newest versions: make lock UPGRADE=--upgrade
	uv pip compile $(UPGRADE) --quiet --universal --generate-hashes --no-header --no-annotate --python-version 3.11 \
	  --extra postgresql --group build pyproject.toml -o requirements.lock
	uv pip compile $(UPGRADE) --quiet --universal --generate-hashes --no-header --no-annotate --python-version 3.11 \
	  --extra postgresql --group build --group dev pyproject.toml -o requirements-dev.lock
	uv pip compile $(UPGRADE) --quiet --universal --generate-hashes --no-header --no-annotate --python-version 3.11 \
	  --group bundle -c requirements-dev.lock -o requirements-bundle.lock

clean:  ## remove .venv and everything else that was built
	rm -rf $(VENV) build dist .demo .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage* *.egg-info
	find appliance license recipes tests -name __pycache__ -type d -prune -exec rm -rf {} +
