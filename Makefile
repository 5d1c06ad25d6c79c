# What people type. `make help` lists it. Everything runs from a fresh clone; what is missing is installed or named.
SHELL := /usr/bin/env bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
export PATH := $(CURDIR)/node_modules/.bin:$(PATH)

PARLEY_HTTP_PORT ?= 8080
PARLEY_GRPC_PORT ?= 50051

.PHONY: help install web run test check e2e verify up down bench soak format generate clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile

install: node_modules/.installed ## npm packages, as the lock file has them

node_modules/.installed: package.json package-lock.json proto/package.json services/*/package.json operator/package.json k8s/apiserver/package.json
	@command -v npm >/dev/null || { echo 'npm is missing: install Node 20 or newer, which brings it' >&2; exit 1; }
	npm ci --loglevel=error
	@touch $@

web: services/web/dist/index.html

services/web/dist/index.html: node_modules/.installed $(shell find services/web/src services/client/src services/web/index.html -type f 2>/dev/null)
	npm run --silent build --workspace @parley/web

run: install web ## everything in one process, data in .data/, the page on http://localhost:8080
	LOG_LEVEL=$${LOG_LEVEL:-warn} npm run --silent parley -- serve all

test: install web ## unit and integration tests, with a real PostgreSQL, Redis and Kubernetes API server
	scripts/timed 'test programs' scripts/test-programs
	scripts/timed bundle npm run --silent bundle tests
	PARLEY_BUNDLE=$(CURDIR)/services/platform/dist scripts/timed tests vitest run

check: install ## formatting, types, generated files, protocol, chart; no tests
	scripts/timed format biome check . --error-on-warnings
	scripts/timed types npm run --silent types
	scripts/timed generated npm run --silent generated
	scripts/timed protocol npm run --silent protocol

e2e: install web ## a kind cluster, the image, helm install, and the tests in k8s/e2e against it
	scripts/timed e2e k8s/e2e/run

verify: export PARLEY_TEST_OUTAGE_SECONDS = 120
verify: check test e2e ## everything that CI runs
	@scripts/timed --report

up: install web ## a kind cluster with Parley in it; PARLEY_HTTP_PORT and PARLEY_GRPC_PORT say where
	PARLEY_HTTP_PORT=$(PARLEY_HTTP_PORT) PARLEY_GRPC_PORT=$(PARLEY_GRPC_PORT) k8s/kind/play up

down: ## delete that cluster
	k8s/kind/play down

bench: install web ## the benchmarks, with a table against the peers that are there
	bench/run

soak: install web ## 30 minutes of load with a fault every minute; SOAK='--minutes 10 --every 30' says otherwise
	node services/platform/soak.ts $(SOAK)

format: install ## format, and mend what the linter can
	biome check --write .

generate: install ## the types of the protos, the CRDs, the README's table of settings
	npm run --silent generate

clean: ## what was built; the data in .data/ stays
	rm -rf node_modules services/web/dist
