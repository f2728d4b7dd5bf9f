# Two commands: `make run` and `make test`. Everything is set up on first use, in .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CONFIG := $(wildcard config.toml)
PROFILE ?= short
PARALLEL := -n auto --maxprocesses 4 --dist loadfile

.DEFAULT_GOAL := help
.PHONY: help run test golden-all check plugins bench bench-check bench-compare bench-peers conformance prove comply backtest compare catalogue vendor screenshots test-plugins test-model lock clean

help: ## Show the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/.run: requirements.lock pyproject.toml
	@PYTHON="$(PYTHON)" sh tools/venv.sh "$(VENV)" requirements.lock
	@touch $@

$(VENV)/.dev: $(VENV)/.run requirements-dev.lock
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@

$(VENV)/.model: $(VENV)/.dev requirements-local.lock
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --require-hashes -r requirements-local.lock
	@touch $@

run: $(VENV)/.run ## Set up and serve on port 3456
	@exec $(BIN)/terraphim-proxy serve --plugins plugins --taxonomy taxonomy $(if $(CONFIG),--config $(CONFIG))

test: $(VENV)/.dev ## Set up and run all tests
	@sh tools/clean_env.sh $(BIN)/python -m pytest $(PARALLEL)

golden-all: $(VENV)/.dev ## All golden cases, every stream cut at each byte (`make test` takes a sample)
	@sh tools/clean_env.sh $(BIN)/python -m pytest -n auto --maxprocesses 4 -m "not toolchain" tests/test_golden_requests.py tests/test_golden_answers.py tests/test_golden_matrix.py

check: $(VENV)/.dev ## Lint, types, import rules
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/lint-imports --no-cache

plugins: $(VENV)/.run ## Build the sample rules from plugins/src (installs their toolchains into .tools)
	@$(BIN)/python plugins/build.py

test-plugins: plugins $(VENV)/.dev ## Build the samples and run their vectors
	@sh tools/clean_env.sh $(BIN)/python -m pytest -m toolchain

test-model: $(VENV)/.model ## Answers of a real small model through both fronts
	@sh tools/clean_env.sh $(BIN)/python -m pytest -m model

bench: $(VENV)/.dev ## Measure: decisions, tokens, patterns, translation, sessions, start-up, memory
	@sh tools/clean_env.sh $(BIN)/python -m bench

bench-compare: $(VENV)/.dev ## Measure traffic beside bare floors, nginx and other proxies (needs gcc; ARGS=--quick for a short one)
	@sh tools/clean_env.sh $(BIN)/python -m bench.compare $(ARGS)

bench-check: $(VENV)/.dev ## Whether the hot path needs more instructions than are stored (needs valgrind and gcc; ARGS=--update stores them)
	@sh tools/clean_env.sh $(BIN)/python -m bench.check $(ARGS)

bench-peers: $(VENV)/.dev ## Install what bench-compare compares with, into .tools/peers (npm for two of them)
	@sh tools/clean_env.sh $(BIN)/python -m bench.compare.peers

conformance: $(VENV)/.dev ## Vectors, compile bombs, generated and mutated modules, and what came of them
	@sh tools/clean_env.sh $(BIN)/python -m prove.conformance

prove: $(VENV)/.dev ## Try the promises of docs/security.md on a real proxy; PROFILE=full for all of it
	@sh tools/clean_env.sh $(BIN)/python -m prove --profile $(PROFILE)

comply: $(VENV)/.dev ## The official API specifications (llm-comply, installed into .tools) against our URL
	@sh tools/clean_env.sh $(BIN)/python -m prove.comply

backtest: $(VENV)/.dev ## Backtest generated traffic and compare with what is stored; WRITE=--write stores it
	@sh tools/clean_env.sh $(BIN)/python -m prove.expected_backtest $(WRITE)

compare: $(VENV)/.dev ## The faults of `prove` for LiteLLM's proxy and ours, side by side (installs it into .tools)
	@sh tools/clean_env.sh $(BIN)/python -m prove.compare

catalogue: $(VENV)/.dev ## Make the model catalogue anew from the data packages that tools/make_catalogue.py names
	@$(BIN)/python tools/make_catalogue.py

vendor: ## Fetch what the page uses of others (core/ui/vendor/vendor.json) and check it by SHA-256
	@$(PYTHON) tools/vendor.py

screenshots: $(VENV)/.dev ## Take the README's pictures of the page, of a proxy with generated traffic (needs chromium)
	@sh tools/clean_env.sh $(BIN)/python -m screenshots

lock: $(VENV)/.dev ## Pin the dependencies anew, with hashes
	@sh tools/lock.sh $(BIN)

clean: ## Remove what the other targets made
	rm -rf $(VENV) .tools .mypy_cache .ruff_cache .hypothesis build dist plugins/*.wasm plugins/plan_mode.wat plugins/ladder.toml plugins/phrases.toml
