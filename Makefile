# Every target works as the first command after `git clone`, with python3, make and git alone.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory --no-builtin-rules
.DELETE_ON_ERROR:

OUT ?= demo.png
ARCHITECTURE ?= arm64

DEV := .venv/.stamp
SAM := .tools/sam/.stamp
CLOUD := .tools/cloud/.stamp
OPENAI := .tools/openai-2/.stamp .tools/openai-3/.stamp tests/local_cloud/openai_clients/node_modules/.stamp
CLIENTS := .tools/clients/.stamp
GENERATORS := .tools/generators/.stamp tests/local_cloud/generated_clients/node_modules/.stamp
NODE := .tools/node/.stamp
PY := .venv/bin/python
UV := .tools/uv/bin/uv
LAYER_PATH := PYTHONPATH=layers/common

# Bytecode is kept, whatever the caller's environment says: tests are imported by several processes.
export PYTHONDONTWRITEBYTECODE :=
export SAM_CLI_TELEMETRY := 0
unexport VIRTUAL_ENV PYTHONPATH PYTHONHOME

.PHONY: help
help: ## Show this list
	@awk 'BEGIN {FS = ":.*## "; print "ImageLayer\n"} \
	  /^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@printf '\n  PORT, AUTH and STATE_DIR configure `make run`; OUT names the image of `make demo`.\n'

# ─── Run it ────────────────────────────────────────────────────────────────────────────────────

.PHONY: run
run: $(DEV) $(SAM) $(CLOUD) ## Start the local cloud, deploy the template to it, serve on one port
	@exec $(PY) -m dev.run

.PHONY: demo
demo: $(DEV) $(SAM) $(CLOUD) ## From sign-up to a signed, branded image in OUT (demo.png)
	@exec $(PY) -m dev.demo --out "$(OUT)"

.PHONY: build
build: $(DEV) $(SAM) ## Build layers and functions for Lambda (ARCHITECTURE=arm64 or x86_64)
	@$(PY) -m dev.build --architecture $(ARCHITECTURE)
	@$(PY) -m dev.imports --build-dir .aws-sam/build --sizes-only

# ─── Check it ──────────────────────────────────────────────────────────────────────────────────

.PHONY: test
test: ## Everything CI runs: lint, then every test and the promises they prove
	@rm -f .promises.json .stages.log
	@dev/stage.sh "environments of the product" $(MAKE) $(DEV) $(SAM)
	@dev/beside.sh "lint" "$(MAKE) lint" "environments of clients" "$(MAKE) -j2 setup"
	@# Fast tests compute, and take what the others, each with a cloud of its own, leave of the machine.
	@dev/beside.sh \
	  "local cloud: faults" "$(PY) -m pytest -s -p no:cacheprovider $(FAULTS) $(LAST)" \
	  "browser and local cloud" \
	  "$(PY) -m pytest -p no:cacheprovider tests/browser tests/local_cloud $(FAULTS:%=--ignore=%)" \
	  "fast tests" "nice -n 5 $(PY) -m pytest -n auto --dist worksteal $(FAST)"
	@$(LAYER_PATH) dev/stage.sh "promises" $(PY) -m dev.promises check
	@echo; cat .stages.log

FAST = tests/fuzz tests/unit tests/architecture tests/template tests/contract tests/integration
FAULTS = $(addprefix tests/local_cloud/test_,slow_provider.py crash_matrix.py identity_faults.py limiter_faults.py)
LAST = tests/local_cloud/test_zz_no_secret_left.py

.PHONY: lint
lint: $(DEV) $(SAM) ## Style, types, imports, template and API description
	@echo "  · ruff";            $(PY) -m ruff check --quiet . && $(PY) -m ruff format --check --quiet .
	@echo "  · mypy";            $(PY) -m mypy
	@echo "  · imports";         $(LAYER_PATH) .venv/bin/lint-imports >.imports.log || { cat .imports.log; exit 1; }
	@echo "  · sam validate";    .tools/sam/bin/sam validate --lint --region us-east-1 2>&1 | { said=$$(cat); grep -q "is a valid SAM" <<<"$$said" || { echo "$$said"; exit 1; }; }
	@echo "  · openapi";         $(LAYER_PATH) $(PY) -m dev.openapi --check
	@echo "  · security page";   $(LAYER_PATH) $(PY) -m dev.promises page --check

.PHONY: live
live: $(DEV) ## Generate an image at each provider whose key is in the environment (docs/models.md)
	@$(PY) -m pytest tests/live

ONLY ?=

.PHONY: mutate
mutate: $(DEV) ## Which small faults the tests notice, for docs/mutation.md; ONLY=limits,credits/store
	@$(PY) -m dev.mutate --only "$(ONLY)"

.PHONY: promises
promises: $(DEV) ## The security page's promises and the tests that prove them
	@$(LAYER_PATH) $(PY) -m dev.promises

.PHONY: benchmarks
benchmarks: $(DEV) $(SAM) $(CLOUD) benchmarks/satori/node_modules/.stamp ## Measure cold starts, round trips and the compositor
	@$(LAYER_PATH) $(PY) -m benchmarks

# ─── Write it ──────────────────────────────────────────────────────────────────────────────────

.PHONY: format
format: $(DEV) ## Format, and fix what can be fixed automatically
	@$(PY) -m ruff check --quiet --fix . ; $(PY) -m ruff format --quiet .

.PHONY: openapi
openapi: $(DEV) ## Write the API description from the route tables
	@$(LAYER_PATH) $(PY) -m dev.openapi

.PHONY: gallery
gallery: $(DEV) ## Draw docs/gallery.md and its pictures
	@$(LAYER_PATH) $(PY) -m dev.gallery

COMPILE = $(UV) pip compile --quiet --generate-hashes --no-emit-index-url --no-header --no-annotate --python-version 3.13
LAYER = --only-binary :all: --python-platform aarch64-manylinux_2_28

.PHONY: requirements
requirements: .tools/uv/bin/uv ## Resolve all pinned requirements again
	@$(COMPILE) $(LAYER) pyproject.toml --output-file layers/common/requirements.txt
	@$(PY_TOML) | $(COMPILE) $(LAYER) - --output-file layers/render/requirements.txt
	@$(COMPILE) pyproject.toml --extra render --group dev --constraints layers/common/requirements.txt \
	  --constraints layers/render/requirements.txt --output-file requirements/dev.txt
	@$(COMPILE) --group sam --output-file requirements/sam.txt
	@$(COMPILE) --group cloud --output-file requirements/cloud.txt
	@$(COMPILE) --group node --output-file requirements/node.txt
	@$(COMPILE) --group openai-2 --output-file requirements/openai-2.txt
	@$(COMPILE) --group openai-3 --output-file requirements/openai-3.txt
	@$(COMPILE) --group clients --output-file requirements/clients.txt
	@$(COMPILE) --group generators --output-file requirements/generators.txt

# The render layer holds its extra alone: the common layer already carries the rest.
PY_TOML = $(DEV_PYTHON) -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]["render"], sep="\n")'
DEV_PYTHON = $(UV) run --quiet --no-project --python 3.13 python

# ─── Set it up ─────────────────────────────────────────────────────────────────────────────────

.PHONY: setup
setup: $(DEV) $(SAM) $(CLOUD) $(OPENAI) $(CLIENTS) $(GENERATORS) ## Create all environments now rather than when first needed

.tools/uv/bin/uv: dev/bootstrap.sh requirements/uv.txt
	@dev/bootstrap.sh .tools/uv -

$(DEV): requirements/dev.txt dev/bootstrap.sh .python-version
	@dev/bootstrap.sh .venv requirements/dev.txt

$(SAM): requirements/sam.txt dev/bootstrap.sh .python-version
	@dev/bootstrap.sh .tools/sam requirements/sam.txt

$(CLOUD): requirements/cloud.txt dev/bootstrap.sh .python-version
	@dev/bootstrap.sh .tools/cloud requirements/cloud.txt

$(NODE): requirements/node.txt dev/bootstrap.sh .python-version
	@dev/bootstrap.sh .tools/node requirements/node.txt

.tools/generators/.stamp: requirements/generators.txt dev/bootstrap.sh .python-version
	@dev/bootstrap.sh .tools/generators requirements/generators.txt

.tools/openai-%/.stamp: requirements/openai-%.txt dev/bootstrap.sh .python-version
	@dev/bootstrap.sh .tools/openai-$* requirements/openai-$*.txt

$(CLIENTS): requirements/clients.txt dev/bootstrap.sh .python-version
	@# One interpreter imports a small part of it.
	@dev/bootstrap.sh .tools/clients requirements/clients.txt --no-compile-bytecode

%/node_modules/.stamp: %/package-lock.json %/package.json $(NODE)
	@echo "  · $*/node_modules"
	@cd $* && PATH="$(CURDIR)/.tools/node/bin:$$PATH" npm ci --silent && touch node_modules/.stamp

.PHONY: browser-deps
browser-deps: ## Install a headless Chromium for the browser tests (Debian, as root)
	@command -v chromium >/dev/null || { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null; }
	@chromium --version --no-sandbox 2>/dev/null

.PHONY: clean
clean: ## Remove build output and environments
	@rm -rf .aws-sam .venv .tools .mypy_cache .ruff_cache .pytest_cache .hypothesis demo.png
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
