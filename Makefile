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
TOOLS := tests/deploy/tools/go.sum

# Check style, then types and tests at the same time. $(1): options that select and spread the tests.
define verify
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	@$(BIN)/mypy & types=$$!; \
	  $(BIN)/python $(PYTEST) $(1) $(SPREAD) $(ARGS); tests=$$?; wait $$types && exit $$tests
endef

.DEFAULT_GOAL := help
.PHONY: help run check test coverage erase nightly bench attacks chaos soak engine audit screenshots docs deploy-check helm apiserver lint types lock clean

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
nightly: helm apiserver coverage audit ## run `make helm apiserver audit`, and `make coverage` with more examples, seconds, cases and servers (tests/support/tier.py); takes hours

bench: $(VENV)/dev.done $(VENV)/bench.done ## run the benchmarks of docs/benchmarks.md (CASES='storm latency' RUNS=5 SAVE=1); needs an idle machine
	@$(BIN)/python -m tests.bench $(CASES) $(if $(RUNS),--runs $(RUNS)) $(if $(SAVE),--save)

attacks: $(VENV)/dev.done ## attack the system at its default limits (ATTACKS='storage history' for some); fails if it costs too much
	@$(BIN)/python -m tests.attacks

chaos: $(VENV)/dev.done ## run the whole system with random faults, and check it (SEED=7 DURATION=60 REDIS=sentinel FLOOD=1); fails on a violation
	@$(BIN)/python -m tests.chaos

soak: $(VENV)/dev.done ## run the system under constant load for an hour (DURATION=3600 FLOOD=1); fails if a service grows or events come late
	@$(BIN)/python -m tests.soak

engine: export NIGHTLY = 1
engine: $(VENV)/dev.done $(CLIENTS) ## build the images, run deploy/compose.yaml in a Docker engine of its own, and upgrade it; needs root
	@sh tests/deploy/engine/install.sh
	$(BIN)/pytest -n0 tests/deploy/engine $(ARGS)

audit: $(VENV)/dev.done ## look for known vulnerabilities of the pinned packages; fails if there is one
	@$(BIN)/python -m tests.audit

screenshots: $(VENV)/dev.done ## make docs/screenshots/: each view of the console, light, dark and on a phone
	$(BIN)/python -m tests.console.screenshots

docs: $(VENV)/docs.done ## build the documentation as a site in build/site, and check its links
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build # with --quiet, it would not count the warnings

deploy-check: $(VENV)/dev.done ## test deploy/ offline: images, compose, nginx, Kubernetes, dashboard, alerts
	$(BIN)/pytest $(patsubst %,tests/deploy/test_%.py,images compose topology memory nginx \
	  nginx_limits nginx_slow nginx_tls gateway_answers gateway_browsers kubernetes kubernetes_traffic \
	  helm helm_docs helm_subscribe helm_values dashboard alerts alertmanager)

helm: $(VENV)/helm.done ## build Helm for the tests of its chart; needs Go, takes two minutes

apiserver: $(VENV)/apiserver.done ## build the API server of Kubernetes for `make nightly`; needs Go, takes ten minutes

lint: $(VENV)/dev.done ## correct the style where ruff can correct it
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(VENV)/dev.done ## check types with mypy
	$(BIN)/mypy

lock: $(VENV)/dev.done ## write requirements/*.txt again from pyproject.toml
	$(BIN)/pip install --quiet uv
	for set in 'runtime --extra archive' 'otel --extra archive --extra otel' 'local --extra archive --extra local' \
	  'bench --extra archive --extra local --extra bench' 'dev --extra archive --extra local --extra otel --extra dev'; do \
	  set -- $$set; name=$$1; shift; \
	  $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	    --no-header --no-annotate $$@ pyproject.toml -o requirements/$$name.txt; \
	done
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	  --no-header --no-annotate --constraints requirements/dev.txt --group docs -o requirements/docs.txt

clean: ## remove what make has built
	rm -rf $(VENV) tests/clients/node_modules .run .mypy_cache .ruff_cache .pytest_cache .hypothesis \
	  .coverage .coverage.* htmlcov build/site
	find shared services deploy clients tests -name __pycache__ -prune -exec rm -rf {} +

$(VENV)/%.done: requirements/%.txt
	@test -x $(BIN)/python || { echo "making $(VENV) …"; $(PYTHON) -m venv $(VENV); }
	@echo "installing $< … (takes a minute or two)"
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

# $(1): name of a program. $(2): its package. $(3): options of its linker. GOTOOLCHAIN: an older Go
# fetches the version that go.mod asks for.
define go-build
	@command -v go >/dev/null || { echo "no Go: tests that need $(1) are skipped"; exit 0; }; \
	  echo "building $(1) …"; \
	  cd $(<D) && GOTOOLCHAIN=auto CGO_ENABLED=0 go build -ldflags "-s -w $(3)" -o "$(abspath $(BIN))/$(1)" $(2)
endef

$(VENV)/helm.done: $(TOOLS) | $(VENV)/dev.done
	$(call go-build,helm,helm.sh/helm/v3/cmd/helm)
	@! command -v go >/dev/null || touch $@

# Without the option, the server would not know its own version.
$(VENV)/apiserver.done: $(TOOLS) | $(VENV)/dev.done
	$(call go-build,etcd,go.etcd.io/etcd/server/v3)
	$(call go-build,kube-apiserver,k8s.io/kubernetes/cmd/kube-apiserver,-X \
	  k8s.io/component-base/version.gitVersion=$$(go list -m -f '{{.Version}}' k8s.io/kubernetes))
	@! command -v go >/dev/null || touch $@

$(CLIENTS): tests/clients/package-lock.json
	@command -v npm >/dev/null || { echo "no npm: tests of its client libraries are skipped"; exit 0; }; \
	  echo "installing $< …"; cd $(<D) && npm ci --prefer-offline --silent && touch $(@F:%=node_modules/%)
