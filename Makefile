# All that is done with this repository, by name: `make help`.
# Needs make, bash, Node (for tests), Docker (for images) and a Python ≥ 3.11, which PYTHON= names where it is not found.

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
install := $(bin)/python -m pip install --quiet --disable-pip-version-check
images := service frontend operator
version = $(shell sed -n 's/^__version__ = "\(.*\)"/\1/p' service/etl_service/__init__.py)
revision = $(shell git rev-parse --verify --quiet HEAD || echo unknown)
# What tests need of npm: the real jsonplaceholder, and axe to judge the page.
modules := tests/sources/node_modules/.package-lock.json tests/frontend/node_modules/.package-lock.json
compile := $(bin)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
  --custom-compile-command "make lock"

.PHONY: help
help: ## Say what there is
	@sed -nE 's/^([a-z-]+):.*## (.*)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 12

##

.PHONY: run
run: $(venv)/run.installed ## Load PIPELINE (the bundled sample unless named) and serve the result
	$(bin)/etl run $(PIPELINE)
	@tools/what-next $(PORT)
	@exec $(bin)/etl serve $(PIPELINE) --port $(PORT)

.PHONY: test
test: $(venv)/dev.installed $(modules) ## Install what tests need, then run the linters and all tests
	@tools/need chromium curl git sqlite3 || true
	@tools/need-postgres || true
	@$(MAKE) lint
	$(bin)/pytest

.PHONY: lint
lint: $(venv)/dev.installed ## Format, style, types and the directions of imports, as they are to be
	$(bin)/ruff format --check
	$(bin)/ruff check
	$(bin)/mypy
	$(bin)/lint-imports

.PHONY: faults
faults: $(venv)/dev.installed $(modules) ## Kill, fill and hang runs at random moments; ETL_FAULTS=1000 for more of them
	$(bin)/pytest -m faults --ignore tests/e2e

.PHONY: e2e-faults
e2e-faults: $(venv)/dev.installed ## Kill operators, pods and the API server of a cluster of its own
	$(bin)/pytest -m faults tests/e2e

.PHONY: bench
bench: $(venv)/dev.installed ## Measure against hand-written programs, or only NAMES of it; bench/README.md says what it means
	$(bin)/python -m compileall -q service
	PYTHONPATH=tests $(bin)/python -m bench $(NAMES)

.PHONY: bench-operator
bench-operator: $(venv)/dev.installed ## Measure the operator over a thousand pipelines, on the cluster of make kind-up
	tools/kind-up etlpipeline
	kubectl config use-context kind-etlpipeline
	$(bin)/python -m bench.operator

.PHONY: images
images: ## Build the container images: etlpipeline/service:dev, frontend:dev and operator:dev
	for image in $(images); do \
	  docker build --build-arg PYTHON_IMAGE --build-arg NGINX_IMAGE \
	    --build-arg VERSION=$(version) --build-arg REVISION=$(revision) \
	    --target $$image --tag etlpipeline/$$image:$(TAG) .; \
	done

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

.PHONY: generated
generated: $(venv)/dev.installed ## Write the files anew that are made from the code: the CRD, docs/openapi.json, the document's schema
	$(bin)/python tools/generate.py

.PHONY: screenshots
screenshots: $(venv)/dev.installed ## Take the README's pictures of the page anew, with Chromium
	$(bin)/python tools/screenshots.py

.PHONY: clean
clean: ## Remove what make and tools have made; databases stay
	rm -rf $(venv) dist tests/*/node_modules .hypothesis .*_cache
	find . -name __pycache__ -prune -exec rm -rf {} +

$(venv)/bin/python:
	tools/make-venv $(venv)

# The lock's own build tools, without isolation: an isolated build would fetch others, unchecked.
$(venv)/%.installed: requirements/%.txt requirements/build.txt pyproject.toml | $(venv)/bin/python
	$(install) --require-hashes -r $< -r requirements/build.txt
	$(install) --no-deps --no-build-isolation --editable .
	$(bin)/python -m compileall -q service
	@touch $@

%/node_modules/.package-lock.json: %/package-lock.json
	npm ci --prefix $* --ignore-scripts --loglevel error
	@touch $@
