# Two commands do everything: `make run` and `make test`. `make help` lists the rest.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
# A machine may tell Python not to write bytecode; then every process compiles everything again.
export PYTHONDONTWRITEBYTECODE =

help:  ## Print this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## / · /' | sort

$(VENV)/run: requirements/run.txt pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements/run.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

$(VENV)/dev: requirements/dev.txt $(VENV)/run
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements/dev.txt
	touch $@

run: $(VENV)/run  ## Set up, invent three nights of twelve facilities, run them, print where the report is
	$(BIN)/datasach demo --out demo

test: $(VENV)/dev  ## Run every test (the slow ones too)
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not long"

test-fast: $(VENV)/dev  ## Run the tests that need neither a server nor minutes
	$(BIN)/python -m pytest -m "not slow and not long"

test-long: $(VENV)/dev  ## Run the long forms: every fault point, every hostile file, hundreds of kills
	$(BIN)/python -m pytest -m long

flow: $(VENV)/run  ## Run the demo's last night as a Prefect flow with its embedded server
	test -d demo/inbox || $(BIN)/datasach demo --out demo
	DATASACH_TRUST=demo/trust $(BIN)/datasach flow --inbox demo/inbox --night 2026-03-04 --out demo/flow-warehouse

check: $(VENV)/dev  ## Format, lint, types, spelling, declarations
	$(BIN)/ruff format --check src tests flows benchmarks
	$(BIN)/ruff check src tests flows benchmarks
	$(BIN)/mypy
	$(BIN)/codespell src tests flows docs README.md CONTRIBUTING.md CHANGELOG.md
	$(BIN)/datasach check

bench: $(VENV)/dev  ## Measure: envelopes to typed tables, and signatures
	$(BIN)/python benchmarks/ingest.py
	$(BIN)/python benchmarks/signing.py

lock:  ## Renew the locks on purpose (needs uv); look at the demo's figures before and after
	cd requirements && uv pip compile run.in --python-version 3.11 --generate-hashes --no-header --no-emit-index-url -o run.txt
	cd requirements && uv pip compile dev.in --python-version 3.11 --generate-hashes --no-header --no-emit-index-url -o dev.txt

example: $(VENV)/run  ## Renew reports/example from a fresh demo (after a change of templates, style or words)
	rm -rf build/example && $(BIN)/datasach demo --out build/example --quiet
	$(BIN)/python -m datasach.report.example build/example/warehouse reports/example

clean:  ## Remove the demo and caches
	rm -rf demo .pytest_cache .mypy_cache .ruff_cache .hypothesis build

.PHONY: help run test test-fast test-long flow check bench lock example clean
