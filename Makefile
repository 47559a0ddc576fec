# Everything a newcomer needs; `make help` lists it. Set-up costs nothing when it is up to date.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: help setup demo test bench check contracts format clean

help:
	@echo 'make demo    set everything up and run the main job   (make demo ARGS="--robots 2 --seed 3")'
	@echo 'make test    set everything up and run all tests      (make test ARGS="test/core -k block")'
	@echo 'make bench   measure the ledger, alone and beside others  (make bench ARGS="--quick")'
	@echo 'make check   lint, formatting, types, import layers, the pages'
	@echo 'make contracts  what tests reach of contracts/*.sol, and what slither says (needs node)'
	@echo 'make format  put sources into the form that make check wants'
	@echo 'make setup   make .venv with libraries, messages and model; part of all the above'
	@echo 'make clean   remove all that was made, except runs/'
	@echo 'Another Python than python3: make PYTHON=python3.11 ...'

setup:
	@$(PYTHON) scripts/setup_environment.py

demo: setup
	@$(BIN)/collab-robots demo $(ARGS)

test: setup
	@$(BIN)/python -m pytest -rs $(ARGS)

bench: setup
	@$(BIN)/python -m benchmarks.split $(ARGS)
	@$(BIN)/python -m benchmarks.ledger $(ARGS)

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m mypy
	$(BIN)/lint-imports
	$(BIN)/pydocstyle collab_robots
	@if [ -d frontend/node_modules ]; then npm --prefix frontend run --silent check; \
	else echo 'the pages are not checked: the set-up found no npm'; fi

contracts: setup
	$(BIN)/python scripts/solidity_coverage.py
	$(BIN)/python scripts/analyse_contracts.py

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf .venv build install log *.egg-info
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -not -path './.git/*' -prune -exec rm -rf {} +
