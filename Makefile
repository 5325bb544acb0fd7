.DEFAULT_GOAL := help
.PHONY: help run demo verify-ledger preflight bench test unit check lint protos stubs format lock audit sbom clean setup

BIN := .venv/bin
# What one process has compiled need not be compiled by the next.
unexport PYTHONDONTWRITEBYTECODE
# Each process has a PostgreSQL of its own; tests wait more than they work, so that four fit on two cores.
PYTEST := $(BIN)/pytest --numprocesses=4
COMPILE := $(BIN)/uv pip compile pyproject.toml --quiet --system-certs --universal \
	--python-version 3.11 --generate-hashes --no-annotate --no-header --no-emit-index-url

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: setup ## Start everything on this machine: PostgreSQL, simulated providers, the services
	@$(BIN)/python -m dev.stack

demo: setup ## Play the whole story against what `make run` started
	@$(BIN)/python -m dev.demo

verify-ledger: setup ## Prove every wallet of what `make run` started (OPTIONS=--help: of another)
	@$(BIN)/python -m dev.verify_ledger $(OPTIONS)

preflight: setup ## Tell what an environment lacks before it goes live (OPTIONS=FILE: one in a file)
	@$(BIN)/python -m preflight $(OPTIONS)

bench: setup ## Measure the services beside what bounds them (OPTIONS=--quick: in two minutes)
	@$(BIN)/python -m dev.bench $(OPTIONS)

test: setup ## Run all tests but the long ones (SEARCH_TIMES=20: with so many times the examples; SINGLE_WALLET_BATCHES=true: as on Citus)
	SEARCH_TIMES=$${SEARCH_TIMES:-0.3} $(PYTEST) -m "not long"

unit: setup ## Run the tests that need no database
	SEARCH_TIMES=$${SEARCH_TIMES:-0.1} $(PYTEST) tests/unit

check: lint ## Everything a change must pass: all tests, the long ones too, with three times the examples, and all else
	SEARCH_TIMES=$${SEARCH_TIMES:-1} $(PYTEST)

lint: setup ## Everything a change must pass but the tests
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports
	cd protos && ../$(BIN)/buf lint && ../$(BIN)/buf format --diff --exit-code
	$(BIN)/python -m dev.generate_protos --check
	$(BIN)/python -m dev.access_table --check
	$(BIN)/python -m dev.reference --check
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yml ops/compose/secrets.yml

protos: setup ## Generate protos/gen, docs/reference.md, and docs/security.md's table of who may call what
	$(BIN)/python -m dev.generate_protos
	$(BIN)/python -m dev.access_table
	$(BIN)/python -m dev.reference

stubs: setup ## Build the generated code as a package for clients, in dist/
	$(BIN)/uv build --offline --wheel protos --out-dir dist

format: setup ## Format code and protos, and mend what can be mended
	$(BIN)/ruff check --fix-only --quiet
	$(BIN)/ruff format
	cd protos && ../$(BIN)/buf format --write

lock: setup ## Pin what pyproject.toml asks for (OPTIONS=--upgrade: at its newest)
	$(COMPILE) $(OPTIONS) --group dev --output-file requirements-dev.lock
	$(COMPILE) --constraint requirements-dev.lock --output-file requirements.lock

audit: setup ## Ask OSV about known vulnerabilities of all that is locked (takes the network)
	@$(BIN)/python -m dev.audit $(OPTIONS)

sbom: setup ## Write what the image is made of, as CycloneDX
	@$(BIN)/python -m dev.bill_of_materials

clean: ## Remove what was installed and cached; the data of `make run` stays
	rm -rf .venv .tools .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -prune -exec rm -rf {} +

setup:
	@dev/setup
