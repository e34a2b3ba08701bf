# `make` lists the targets. Everything is built inside this folder; nothing outside is changed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CLIENTS := tests/clients/node_modules/.package-lock.json
export PYTHONDONTWRITEBYTECODE := # empty, so that the hundreds of processes of the tests share compiled files
PYTEST := -m pytest
# The tests wait more than they compute, so there are more workers than cores.
WORKERS ?= $(shell $(PYTHON) -c 'import os; print(2 * os.cpu_count() + 1)')
SPREAD := --dist loadgroup --no-loadscope-reorder

# Check style, then types and tests at the same time. $(1): options that select and spread the tests.
define verify
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	@$(BIN)/mypy & types=$$!; \
	  $(BIN)/python $(PYTEST) $(1) $(SPREAD) $(ARGS); tests=$$?; wait $$types && exit $$tests
endef

.DEFAULT_GOAL := help
.PHONY: help run check test coverage erase nightly bench attacks chaos soak audit screenshots deploy-check lint types lock clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

run: $(VENV)/local.done ## run the whole system on this machine, until Ctrl-C (PORT_BASE, NETWORK=testnet)
	@exec $(BIN)/python -m deploy.local.run

check: $(VENV)/dev.done ## check style and types, run all tests that need no process and no network; takes a minute
	$(call verify,-m 'not io' -n auto)

test: $(VENV)/dev.done $(CLIENTS) ## check all that must hold before a change lands; with a real Redis, without Docker and fixed ports
	$(call verify,-n $(WORKERS))

coverage: PYTEST := -m coverage run -m pytest
coverage: erase test ## run `make test` and count lines and branches (report in htmlcov/); fails below the floor in pyproject.toml
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage html --quiet
	$(BIN)/coverage report --format=total

erase: $(VENV)/dev.done
	@$(BIN)/coverage erase

nightly: export NIGHTLY = 1
nightly: test audit ## run `make audit`, and `make test` with more examples, seconds, cases and servers (tests/support/tier.py); takes hours

bench: $(VENV)/dev.done ## run the benchmarks of docs/benchmarks.md (CASES='storm latency' for some); needs an idle machine
	$(BIN)/python -m tests.bench $(CASES)

attacks: $(VENV)/dev.done ## attack the system at its default limits (ATTACKS='storage history' for some); fails if it costs too much
	@$(BIN)/python -m tests.attacks

chaos: $(VENV)/dev.done ## run the whole system with random faults, and check it (SEED=7 DURATION=60 REDIS=sentinel FLOOD=1); fails on a violation
	@$(BIN)/python -m tests.chaos

soak: $(VENV)/dev.done ## run the system under constant load for an hour (DURATION=3600 FLOOD=1); fails if a service grows or events come late
	@$(BIN)/python -m tests.soak

audit: $(VENV)/dev.done ## look for known vulnerabilities of the pinned packages; fails if there is one
	@$(BIN)/python -m tests.audit

screenshots: $(VENV)/dev.done ## make docs/screenshots/: each view of the console, light, dark and on a phone
	$(BIN)/python -m tests.console.screenshots

deploy-check: $(VENV)/dev.done ## test deploy/ offline: images, compose, nginx, Kubernetes, dashboard, alerts
	$(BIN)/pytest $(patsubst %,tests/deploy/test_%.py,images compose topology memory nginx \
	  nginx_limits nginx_slow nginx_tls gateway_answers gateway_browsers kubernetes kubernetes_traffic dashboard alerts)

lint: $(VENV)/dev.done ## correct the style where ruff can correct it
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(VENV)/dev.done ## check types with mypy
	$(BIN)/mypy

lock: $(VENV)/dev.done ## write requirements/*.txt again from pyproject.toml
	$(BIN)/pip install --quiet uv
	for set in 'runtime' 'otel --extra otel' 'local --extra local' \
	  'dev --extra local --extra otel --extra dev'; do \
	  set -- $$set; name=$$1; shift; \
	  $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	    --no-header --no-annotate $$@ pyproject.toml -o requirements/$$name.txt; \
	done

clean: ## remove what make has built
	rm -rf $(VENV) tests/clients/node_modules .run .mypy_cache .ruff_cache .pytest_cache .hypothesis \
	  .coverage .coverage.* htmlcov
	find shared services deploy tests -name __pycache__ -prune -exec rm -rf {} +

$(VENV)/%.done: requirements/%.txt
	@test -x $(BIN)/python || { echo "making $(VENV) …"; $(PYTHON) -m venv $(VENV); }
	@echo "installing $< …"
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

$(CLIENTS): tests/clients/package-lock.json
	@command -v npm >/dev/null || { echo "no npm: tests of its client libraries are skipped"; exit 0; }; \
	  echo "installing $< …"; cd $(<D) && npm ci --prefer-offline --silent && touch $(@F:%=node_modules/%)
