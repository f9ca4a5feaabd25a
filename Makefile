# Two commands for a newcomer: `make run` and `make test`. Everything they need they install themselves.
# Developers: `make check` is what CI runs. `make help` lists the rest.

PYTHON ?= python3
BIN := .venv/bin

.PHONY: help run test check format lint types walls bench bench-codec fuzz soak clean

help:
	@echo 'make run       set up and start the gateway (simulator when no modem is configured)'
	@echo 'make test      set up and run the whole test suite'
	@echo 'make check     formatting, lint, types, import walls, tests: what CI runs'
	@echo 'make bench     measure link, codec and post office (tables; --json by the tools themselves)'
	@echo 'make fuzz      long fuzz run of the codec (FUZZ_SECONDS=3600)'
	@echo 'make soak      long runs: unplugged at every byte offset, 200 kill -9 of store and gateway on each engine'
	@echo 'make clean     remove what the other targets made'

run: .venv/.run
	@exec $(BIN)/mmsproxy serve --config config.yaml

test: .venv/.test
	@tools/setup packages
	$(BIN)/python -m pytest -n 2 $(PYTEST_ARGS)

check: .venv/.test lint types walls test

format: .venv/.test
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lint: .venv/.test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: .venv/.test
	$(BIN)/mypy

walls: .venv/.test
	$(BIN)/lint-imports

bench: .venv/.test
	$(BIN)/python tools/bench_link.py
	$(BIN)/python tools/bench_codec.py
	$(BIN)/python tools/bench_post.py

fuzz: .venv/.test
	$(BIN)/python tests/fuzz/run.py --seconds $(or $(FUZZ_SECONDS),600)

soak: .venv/.test
	MMSPROXY_SOAK=1 $(BIN)/python -m pytest tests/test_unplug_offsets.py
	MMSPROXY_KILL_ROUNDS=$(or $(KILL_ROUNDS),200) $(BIN)/python -m pytest tests/post/test_kill.py tests/e2e/test_kill_daemon.py

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis dist data

.venv/.run: pyproject.toml constraints.txt tools/setup
	@PYTHON="$(PYTHON)" tools/setup venv
	@touch $@

.venv/.test: pyproject.toml constraints.txt tools/setup
	@PYTHON="$(PYTHON)" tools/setup venv test
	@touch .venv/.run $@
