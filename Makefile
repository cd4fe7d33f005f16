# All that is done with this repository, by name: `make help`.
# Needs make, bash and a Python ≥ 3.11, which PYTHON= names where it is not found. Tests need Node, those of images and clusters
# Docker, kind and kubectl; some linters need Go and kubectl.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

PIPELINE ?= pipelines/sample.yaml
PORT ?= 8000
TAG ?= dev

venv := .venv
bin := $(venv)/bin
install = $(1)/bin/python -m pip install --quiet --disable-pip-version-check
linters := .venv-lint
images := service frontend operator
version = $(shell sed -n 's/^__version__ = "\(.*\)"/\1/p' service/etl_service/__init__.py)
# From the command line alone: an environment may have one for another purpose, and nobody pushes there by accident.
registry = $(if $(filter command,$(origin REGISTRY)),$(REGISTRY))
revision = $(shell git rev-parse --verify --quiet HEAD || echo unknown)
# What tests need of npm: the real jsonplaceholder, and axe to judge the page.
modules := tests/sources/node_modules/.package-lock.json tests/frontend/node_modules/.package-lock.json
compile := $(bin)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
  --custom-compile-command "make lock"

.PHONY: help
help: ## Say what there is
	@sed -nE 's/^([a-z0-9-]+):.*## (.*)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

##

.PHONY: run
run: $(venv)/run.installed ## Load PIPELINE (the bundled sample unless named) and serve the result
	$(bin)/etl run $(PIPELINE)
	@tools/what-next $(PORT)
	@exec $(bin)/etl serve $(PIPELINE) --port $(PORT)

.PHONY: test
test: $(venv)/dev.installed $(modules) ## Install what tests need, then run the linters and all tests
	@tools/need chromium curl git sqlite3 || echo "Tests that need them are skipped, each with its reason." >&2
	@tools/need-postgres || true
	@tools/prometheus $(venv)/prometheus || true
	@$(MAKE) lint
	$(bin)/pytest

.PHONY: lint
lint: $(venv)/dev.installed $(linters)/installed $(linters)/go.installed ## Style, types, directions of imports, and what is known to be unsafe
	$(bin)/ruff format --check
	$(bin)/ruff check
	$(bin)/mypy
	$(bin)/lint-imports
	tools/lint $(linters)/bin $(bin)/python

.PHONY: faults
faults: $(venv)/dev.installed $(modules) ## Kill, fill and hang runs at random moments; ETL_FAULTS=1000 for more of them
	$(bin)/pytest -m faults --ignore tests/e2e

.PHONY: e2e-faults
e2e-faults: $(venv)/dev.installed ## Kill operators, pods and the API server of a cluster of its own
	$(bin)/pytest -m faults tests/e2e

.PHONY: e2e-gitops
e2e-gitops: $(venv)/dev.installed ## Let a real Argo CD follow a repository, on a cluster of its own: twenty minutes
	$(bin)/pytest -m gitops tests/gitops

.PHONY: e2e-upgrade
e2e-upgrade: $(venv)/dev.installed ## Upgrade a cluster from the last release, or from the commit UPGRADE_FROM, to what is here
	last=$$(git describe --tags --abbrev=0 --match 'v[0-9]*' HEAD^ 2>/dev/null || true); \
	export UPGRADE_FROM=$${UPGRADE_FROM:-$$last}; \
	if [ -z "$$UPGRADE_FROM" ]; then echo "There is no release yet; UPGRADE_FROM=COMMIT upgrades from that commit."; \
	else $(bin)/pytest -m upgrade tests/e2e; fi

.PHONY: bench
bench: $(venv)/dev.installed ## Measure against hand-written programs, or only NAMES of it; bench/README.md says what it means
	$(bin)/python -m compileall -q service
	PYTHONPATH=tests $(bin)/python -m bench $(NAMES)

.PHONY: bench-operator
bench-operator: $(venv)/dev.installed ## Measure the operator over a thousand pipelines, on the cluster of make kind-up
	tools/kind-up etlpipeline
	kubectl config use-context kind-etlpipeline
	kubectl apply --server-side -k . # for it to log no more than it usually does
	kubectl --namespace etlpipeline-system rollout status deployment/etl-operator --timeout 180s
	$(bin)/python -m bench.operator

.PHONY: images
images: ## Build the container images: etlpipeline/service:dev, frontend:dev and operator:dev
	for image in $(images); do \
	  docker build --build-arg PYTHON_IMAGE --build-arg NGINX_IMAGE \
	    --build-arg VERSION=$(version) --build-arg REVISION=$(revision) \
	    --target $$image --tag etlpipeline/$$image:$(TAG) .; \
	done

.PHONY: release
release: $(venv)/dev.installed ## Make dist/ of the version that is tagged; REGISTRY=ghcr.io/somebody/etlpipeline pushes its images
	tools/release/release $(version) $(registry)

.PHONY: kind-up kind-down
kind-up: ## Make a kind cluster with the operator and the sample pipeline
	tools/kind-up etlpipeline
	@tools/what-next-kind etlpipeline

kind-down: ## Remove it
	kind delete cluster --name etlpipeline

.PHONY: lock
lock: $(venv)/dev.installed ## Write requirements/ anew from pyproject.toml; UPGRADE=1 takes newer versions
	$(compile) $(if $(UPGRADE),--upgrade) pyproject.toml -o requirements/run.txt
	$(compile) $(if $(UPGRADE),--upgrade) --group build -o requirements/build.txt
	$(compile) $(if $(UPGRADE),--upgrade) --group operator -c requirements/run.txt -o requirements/operator.txt
	$(compile) $(if $(UPGRADE),--upgrade) pyproject.toml --group build --group operator --group dev -c requirements/run.txt \
	  -c requirements/operator.txt -o requirements/dev.txt
	$(compile) $(if $(UPGRADE),--upgrade) --group lint -o requirements/lint.txt

.PHONY: generated
generated: $(venv)/dev.installed ## Write the files anew that are made from the code: the CRD, the schemas, docs/reference/
	$(bin)/python -m tools.generate

.PHONY: screenshots
screenshots: $(venv)/dev.installed ## Take the README's pictures of the page anew, with Chromium
	$(bin)/python tools/screenshots.py

.PHONY: clean
clean: ## Remove what make and tools have made; databases stay
	rm -rf $(venv) $(linters) dist tests/*/node_modules .hypothesis .*_cache
	find . -name __pycache__ -prune -exec rm -rf {} +

$(venv)/bin/python:
	tools/make-venv $(venv)

# The lock's own build tools, without isolation: an isolated build would fetch others, unchecked.
$(venv)/%.installed: requirements/%.txt requirements/build.txt pyproject.toml | $(venv)/bin/python
	$(call install,$(venv)) --require-hashes -r $< -r requirements/build.txt
	$(call install,$(venv)) --no-deps --no-build-isolation --editable .
	$(bin)/python -m compileall -q service
	@touch $@

$(linters)/installed: requirements/lint.txt
	tools/make-venv $(linters)
	$(call install,$(linters)) --require-hashes -r $<
	@touch $@

# Those that are written in Go, where there is one; without the mark of success, the next make tries again.
$(linters)/go.installed: requirements/go.mod requirements/go.sum $(linters)/installed
	@if command -v go >/dev/null && (cd requirements && GOBIN=$(CURDIR)/$(linters)/bin go install tool); then \
	  touch $@; \
	else \
	  echo "Linters written in Go are not installed: they need Go 1.25, or one (1.21 or newer) that may fetch it." >&2; \
	fi

%/node_modules/.package-lock.json: %/package-lock.json
	@tools/need npm || { echo "Tests need Node 18 or newer, with npm." >&2; exit 1; }
	npm ci --prefix $* --ignore-scripts --loglevel error
	@touch $@
