# Every target does its own set-up and is safe to repeat. V=1 shows the output of every step.
.DEFAULT_GOAL := help
.PHONY: help setup check coverage test test-long e2e demo demo-down cluster cluster-down run fmt crd

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## system packages, Python environment, pjsua2
	@dev/steps setup

check: ## linters, types, unit and component tests (no cluster)
	@dev/steps check

coverage: ## 100 % branch coverage of the pure modules, by the unit tests (minutes: not a part of check)
	@dev/uv run --no-sync pytest -q -n 2 tests/unit --cov --cov-report=term

test: ## set-up, check, and the end-to-end tests on a real cluster
	@dev/steps test

test-long: ## what takes long, and the tables: a hostile peer, mutated captures, the benches (35 min; not a part of test)
	@dev/steps test-long

e2e: ## the end-to-end tests on a real cluster
	@dev/steps e2e

demo: ## a cluster, the operator, one passing and one failing CallTest
	@dev/steps demo

demo-down: cluster-down ## remove everything that `make demo` started

cluster: ## the development cluster with our images in it
	@dev/steps cluster

cluster-down: ## stop the development cluster; leaves nothing behind
	@dev/cluster down

run: ## the operator on this machine, against the cluster of KUBECONFIG (default: the development cluster)
	@KUBECONFIG=$${KUBECONFIG:-$$(dev/cluster kubeconfig)} dev/uv run python -m controller --namespace $${NAMESPACE:-default}

fmt: ## format and fix what can be fixed
	@dev/uv run ruff check --fix . ; dev/uv run ruff format .

crd: ## write deploy/crd/, the tables in docs/ and docs/trace.schema.json from types and checks
	@dev/uv run python -m controller.api.crd --write
	@dev/uv run python -m controller.api.reference --write
	@dev/uv run python -m agent.trace.schema --write
