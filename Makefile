# Everything a developer does here; `make` alone lists it. Needs Python 3.11 or later and a network to package registries.

UV_VERSION := 0.13.9
UV := $(or $(shell command -v uv 2>/dev/null),$(CURDIR)/.local/uv/bin/uv)
PYTHON := .venv/bin/python
# The Python that is here is the Python that is used.
export UV_PYTHON_DOWNLOADS := never
export UV_PYTHON_PREFERENCE := only-system
# An environment that happens to be active is not ours.
unexport VIRTUAL_ENV
export UV

.DEFAULT_GOAL := help
.PHONY: help run test lint fmt lock clean environment

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 16

run: environment ## start everything, show the sample, serve until Ctrl-C (SAMPLE=no, INGEST_PORT=…, DATABASE_URL=…)
	@$(PYTHON) -m deploy.local.run

test: environment ## format, lint, types, import rules, template, then every test
	@$(PYTHON) -m deploy.local.check

lint: environment ## the checks of `make test` that run nothing
	@$(PYTHON) -m deploy.local.check --static

fmt: environment ## format, and repair what ruff can repair
	@.venv/bin/ruff format .
	@.venv/bin/ruff check --fix .

lock: $(UV) ## bring uv.lock in line with pyproject.toml
	@$(UV) lock

clean: ## remove .local: databases, emulated AWS, logs, tools
	@if [ -x $(PYTHON) ]; then $(PYTHON) -m deploy.local.clean; else rm -rf .local; fi

environment: $(UV)
	@$(UV) sync --frozen --all-extras $(if $(wildcard $(PYTHON)),--quiet)

$(CURDIR)/.local/uv/bin/uv:
	@echo "installing uv $(UV_VERSION) in .local/uv"
	@python=$$(command -v python3.11 || command -v python3) \
	  && { $$python -m venv .local/uv || { echo "Python's venv is missing (Debian: apt-get install python3-venv)"; exit 1; }; } \
	  && .local/uv/bin/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
