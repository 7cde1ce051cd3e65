# Every target does its own set-up and is safe to repeat. V=1 shows the output of every step.
.DEFAULT_GOAL := help
.PHONY: help setup check coverage test test-long e2e demo demo-down cluster cluster-down run fmt crd

help: ## list the targets (minutes on 2 idle cores: the first time / later)
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## system packages, Python environment, pjsua2 (5 min / 10 s)
	@dev/steps setup

check: ## linters, types, unit and component tests; no cluster (15 / 8 min)
	@dev/steps check

coverage: ## 100 % branch coverage of the pure modules, by the unit tests (5 min; not a part of check)
	@dev/uv run --no-sync pytest -q -n 2 tests/unit --cov --cov-report=term

test: ## set-up, check, and the end-to-end tests on a real cluster (80 / 65 min, 10 GB; root or sudo)
	@dev/steps test

test-long: ## what takes long, and the tables: a hostile peer, mutated captures, the benches (2 h; not a part of test)
	@dev/steps test-long

e2e: ## the end-to-end tests on a real cluster (55 / 45 min; root or sudo)
	@dev/steps e2e

demo: ## a cluster, the operator, one passing and one failing CallTest (15 / 2 min, 8 GB; root or sudo)
	@dev/steps demo

demo-down: cluster-down ## remove everything that `make demo` started (10 s)

cluster: ## the development cluster with our images in it (14 min / 30 s; root or sudo)
	@dev/steps cluster

cluster-down: ## stop the development cluster; leaves nothing behind
	@dev/cluster down

run: ## the operator on this machine, against the cluster of KUBECONFIG (default: the development cluster)
	@KUBECONFIG=$${KUBECONFIG:-$$(dev/cluster kubeconfig)} dev/uv run python -m controller --namespace $${NAMESPACE:-default}

fmt: ## format and fix what can be fixed (1 s)
	@dev/uv run ruff check --fix . ; dev/uv run ruff format .

crd: ## write deploy/crd/, the Roles, the tables in docs/ and docs/trace.schema.json from types and checks (10 s)
	@dev/uv run python -m controller.api.crd --write
	@dev/uv run python -m controller.operator.access
	@dev/uv run python -m controller.api.reference --write
	@dev/uv run python -m agent.trace.schema --write
	@dev/uv run python -m tests.features --write
