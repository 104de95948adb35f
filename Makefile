# The commands people and CI share. `make` alone lists them.
# Each recipe sets up what it needs; nothing has to be installed by hand but python3, git and make.

# Where it is set, each of the many processes that tests and benches start compiles the whole product anew.
unexport PYTHONDONTWRITEBYTECODE

PYTHON ?= python3
VENV   := .venv
RUN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

.PHONY: help setup demo test lint kill drill moved older million burst hosts tokens-search swarm swarm-value ledger bench lock screenshots clean wheel image sbom

help:                  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:[^#]*##/\t/' | expand -t 16

setup: $(STAMP)        ## the virtual environment, exactly as locked
$(STAMP): requirements-dev.lock pyproject.toml scripts/setup.sh
	@PYTHON=$(PYTHON) sh scripts/setup.sh $(VENV)
	@touch $(STAMP)

demo: setup            ## a week of a shop's life on your machine (ARGS=--once checks itself and ends)
	@$(RUN)/python -m connector.testing.demo $(ARGS)

test: setup            ## every test; installs Chromium, PostgreSQL and the example's Vendure when it may
	@$(RUN)/python scripts/shopify_schema.py >/dev/null
	@sh scripts/postgres.sh
	@sh scripts/brokers.sh
	@sh scripts/chromium.sh
	@sh scripts/emulate/install.sh
	@sh examples/kiitos-vendure/server/install.sh
	@$(RUN)/pytest -q -n auto --maxprocesses 4 $(ARGS)

lint: setup            ## style, format, types and the import contracts
	@$(RUN)/ruff check .
	@$(RUN)/ruff format --check .
	@$(RUN)/mypy
	@$(RUN)/lint-imports
	@$(RUN)/python scripts/bandit_check.py

kill: setup            ## kill -9 the running product under load (KIITOS_KILLS=30)
	@KIITOS_PROVIDER_KILLS=$${KIITOS_PROVIDER_KILLS:-24} $(RUN)/pytest -q tests/kill $(ARGS)

drill: setup           ## back up, kill, lose the files, restore (ARGS=--no-ledger: the control; ORDERS=100000: a restore at size)
	@if [ -n "$(ORDERS)" ]; then $(RUN)/python -m tests.keeping.history --orders $(ORDERS); \
	else $(RUN)/python -m tests.keeping.drill $(ARGS); fi

moved: setup           ## how long kiitos db copy freezes what (ORDERS=100000 TO=postgresql://... of an empty database)
	@$(RUN)/python -m tests.keeping.history --orders $${ORDERS:-100000} --to $(TO) $(ARGS)

older: setup           ## the program before the newest migration on the schema after it (ARGS="--orders 30")
	@$(RUN)/python -m tests.keeping.older $(ARGS)

million: setup         ## how long each migration takes on a million messages (ARGS="--database postgresql://...")
	@$(RUN)/python -m tests.store.million $(ARGS)

tokens-search: setup   ## 10,000 seeded lives of a shop whose tokens lapse (KIITOS_TOKEN_LIVES, KIITOS_TOKEN_SEED)
	@KIITOS_TOKEN_LIVES=$${KIITOS_TOKEN_LIVES:-10000} $(RUN)/pytest -q -s tests/tokens/test_search.py $(ARGS)

swarm: setup           ## seeded lives of two shops in which everything goes wrong (SEEDS=50000 FIRST=0)
	@$(RUN)/python -m tests.swarm.search --seeds $${SEEDS:-2000} --first $${FIRST:-0} $(ARGS)

swarm-value: setup     ## the same of points, tiers, codes and referrals, recounted from the orders (SEEDS=2000 FIRST=0)
	@$(RUN)/python -m tests.swarm.value.search --seeds $${SEEDS:-2000} --first $${FIRST:-0} $(ARGS)

ledger: setup          ## power cuts, repetitions and disorder over the ledger of value, by seed (SEEDS=200)
	@KIITOS_LEDGER_SEEDS=$${SEEDS:-200} $(RUN)/pytest -q tests/store/test_loyalty_crashes.py $(ARGS)

hosts: setup           ## two web, three worker machines and a replicated PostgreSQL in a bad week (needs root)
	@KIITOS_HOSTS=1 $(RUN)/pytest -q -s tests/hosts $(ARGS)

burst: setup           ## one shop's order behind another's 100,000 (ORDERS=100000, ARGS="--database postgresql://...")
	@$(RUN)/python -m tests.turns.burst --orders $${ORDERS:-100000} $(ARGS)

bench: setup           ## ratios to this machine's limits (ARGS=--quick for a minute's run)
	@$(RUN)/python -m bench $(ARGS)

screenshots: setup     ## pictures of the main messages and pages into docs/images (needs Chromium)
	@$(RUN)/python scripts/screenshots.py
	@$(RUN)/python scripts/page_pictures.py

wheel: setup           ## the wheel in dist/, the same bytes from the same commit
	@SOURCE_DATE_EPOCH=$${SOURCE_DATE_EPOCH:-$$(git log -1 --format=%ct)} $(RUN)/python -m hatchling build -t wheel

image: setup           ## the container image, linted, built by docker, podman or buildah (IMAGE=kiitos)
	@sh scripts/image.sh $(VENV) $${IMAGE:-kiitos}

sbom: setup            ## the bills of materials (CycloneDX) of the wheel's lock and the image's, in dist/
	@$(RUN)/python scripts/sbom.py

lock: setup            ## write the lock files anew from pyproject.toml
	@sh scripts/lock.sh $(VENV)

clean:                 ## remove what was made
	rm -rf $(VENV) .cache var .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
