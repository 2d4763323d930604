# All that is needed is Python 3.11 or newer, make and a package index.
#
# For another Python, give it a venv of its own:
#     make test PYTHON=python3.12 VENV=.venv-3.12

PYTHON ?= python3
VENV ?= .venv
GUNICORN25 := $(VENV)-gunicorn25

define CHECK_PYTHON
import sys
if sys.version_info < (3, 11):
    sys.exit("Python 3.11 or newer is needed; $(PYTHON) is %d.%d." % sys.version_info[:2])
endef
export CHECK_PYTHON

# Two targets would otherwise install into one venv at the same time.
.NOTPARALLEL:

.DEFAULT_GOAL := help

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: $(VENV)/.installed-flask ## Run the trading demo (INSTRUMENTS=PATH: on that instrument dump)
	$(VENV)/bin/python -m examples.trading.demo $(if $(INSTRUMENTS),--instruments $(INSTRUMENTS))

.PHONY: test
test: $(VENV)/.installed-test $(GUNICORN25)/.installed servers ## Run all tests
	DATALOADERS_TEST_GUNICORN25_PYTHON=$(abspath $(GUNICORN25)/bin/python) \
		$(VENV)/bin/python -m pytest

.PHONY: compare
compare: $(VENV)/.installed-test servers ## Compare the demo's two variants on 10,000 generated requests (DATABASE=sqlite)
	$(VENV)/bin/python -m tests.examples.comparing $(if $(DATABASE),--database $(DATABASE))

# Tests start the system's MariaDB, Redis, Prometheus and Chromium. Where one is missing, pytest says what was
# left out.
.PHONY: servers
servers:
	@if [ "$$(id -u)" = 0 ] && command -v apt-get \
			&& ! { command -v mariadbd && command -v redis-server && command -v prometheus \
				&& command -v chromium; }; then \
		apt-get -qq update; \
		DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends \
			mariadb-server-core mariadb-client-core redis-server prometheus \
			chromium fonts-dejavu-core; \
	fi >/dev/null 2>&1 || true

.PHONY: bench
bench: $(VENV)/.installed-bench ## Run the benchmarks
	$(VENV)/bin/python -m benchmarks

.PHONY: load
load: $(VENV)/.installed-load ## Load the trading example for minutes, naive and batched (ARGS=--help: what can be set)
	$(VENV)/bin/python -m load --write $(ARGS)

.PHONY: screenshots
screenshots: $(VENV)/.installed-test servers ## Take the README's pictures again
	$(VENV)/bin/python -m tests.examples.screenshots

.PHONY: lint
lint: $(VENV)/.installed-dev ## Check style and formatting
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check

.PHONY: types
types: $(VENV)/.installed-dev ## Check the types
	$(VENV)/bin/mypy

# The egg-info goes too: setuptools would take over its list of files into the sdist.
.PHONY: wheel
wheel: $(VENV)/.installed-dev ## Build wheel and sdist into dist/, check and try them
	rm -rf build dist *.egg-info
	$(VENV)/bin/python -m build
	$(VENV)/bin/twine check --strict dist/*
	DATALOADERS_TEST_DIST=$(abspath dist) $(VENV)/bin/python -m pytest tests/packaging

.PHONY: clean
clean: ## Remove the venvs and everything that was built
	rm -rf .venv* build dist *.egg-info .hypothesis .mypy_cache .pytest_cache .ruff_cache .artefacts
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# One stamp for each set of extras: .installed-test stands for `pip install -e '.[test]'`.
$(VENV)/.installed-%: setup.cfg pyproject.toml | $(VENV)/bin/python
	$(VENV)/bin/python -m pip install --quiet --editable '.[$*]'
	touch $@

# The last gunicorn that has the eventlet worker.
$(GUNICORN25)/.installed: setup.cfg pyproject.toml | $(GUNICORN25)/bin/python
	$(GUNICORN25)/bin/python -m pip install --quiet 'gunicorn>=25,<26' eventlet \
		opentelemetry-exporter-otlp-proto-http --editable '.[example,flask,opentelemetry,prometheus]'
	touch $@

$(VENV)/bin/python $(GUNICORN25)/bin/python:
	@$(PYTHON) -c "$$CHECK_PYTHON"
	$(PYTHON) -m venv $(@:/bin/python=)
