# Two commands do all the set-up: `make demo` and `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
RESULTS ?= results
TIMES ?= 20
# What pip may install: for users the version of torch alone; CI sets constraints-ci.txt, every package as last tested there.
CONSTRAINTS ?= constraints.txt
SMALL := iris wine monks-1 balance-scale
SEED := $(or $(SEED),$(shell date +%s))
# A process a core, each with one thread; a process that has nothing left takes tests from the other.
PARALLEL := -n auto --dist worksteal

.DEFAULT_GOAL := help
.PHONY: help setup lock demo reproduce reference leaderboard test test-fast docs docs-serve docs-figures fuzz browser slurm check format bench wheel clean

help:  ## Print this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(VENV)/.installed  ## Create the virtual environment and install snnbench into it

$(VENV)/.installed: pyproject.toml $(CONSTRAINTS)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint $(CONSTRAINTS) --editable '.[dev]'
	@touch $@

# For Python 3.11 on Linux, where CI runs; another system or version chooses its own. Of torch the build (+cpu) is left open.
lock:  ## Write constraints-ci.txt: every package that a fresh environment gets today
	rm -rf build/lock && $(PYTHON) -m venv build/lock
	build/lock/bin/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	(echo "# Written by make lock: what CI installs, with Python 3.11 on Linux."; \
	  build/lock/bin/python -m pip freeze --exclude-editable | sed 's/+cpu$$//') > constraints-ci.txt

demo: setup  ## Run two networks and two baselines on the embedded tasks and compare them
	$(BIN)/snnbench run core --model snn --model msrainit --model random_forest --model svm --results $(RESULTS)
	$(BIN)/snnbench compare $(RESULTS) --suite core

reproduce: setup  ## Run the preset ci and check its scores against those in the repository (under three minutes)
	$(BIN)/snnbench run core --preset ci --seeds 3 --results build/reproduction --progress plain
	$(BIN)/snnbench check build/reproduction --against configs/core/ci.json --junit build/reproduction.xml

# Data that the official addresses do not give: make reference UCI='--source data.tar.gz' HTRU2='--source HTRU2.zip'.
# To train only what does not ship yet: snnbench results merge results/published/reference --to build/reference, before it.
UCI ?=
HTRU2 ?=
REFERENCE := build/reference
REFERENCE_RUN := $(BIN)/snnbench run --seeds 3 --results $(REFERENCE) --yes --progress plain
UCI_SMALL = $(shell awk -F, '$$7 == "small" {print "--task", $$1}' datasets/uci.csv)
BOOSTING := lightgbm xgboost catboost
TABULAR := realmlp tabm

# A run in which a final training diverges ends with an error; the checks at the end decide.
reference: setup  ## Train the reference results again (hours; stop and repeat it as you like) and hold them to those that ship
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[boosting,tabular]'
	-$(REFERENCE_RUN) core
	-$(REFERENCE_RUN) htru2 $(HTRU2)
	-$(REFERENCE_RUN) uci $(UCI) $(UCI_SMALL) --preset modern $(TABULAR:%=--model %)
	-$(REFERENCE_RUN) uci $(UCI) --preset modern $(BOOSTING:%=--model %)
	-$(REFERENCE_RUN) uci $(UCI)
	for suite in core htru2 uci; do $(BIN)/snnbench check $(REFERENCE) --against reference --suite $$suite || exit; done

leaderboard: setup  ## Ship the reference results that were trained, and write the leaderboard from them
	$(BIN)/snnbench results condense $(REFERENCE) --to results/published/reference
	$(BIN)/snnbench leaderboard --published reference --suite uci --output docs/leaderboard.md
	$(BIN)/snnbench figure pairs --published reference --suite uci --subset small --output docs/figures/leaderboard-pairs.svg

# What kills, waits or measures comes first and by itself, the rest on all cores; both run whatever the other says.
test: setup  ## Run all tests
	@status=0; \
	$(BIN)/python -m pytest -m alone --durations=30 --durations-min=1 || status=$$?; \
	$(BIN)/python -m pytest -m 'not alone' $(PARALLEL) --durations=30 --durations-min=1 || status=$$?; \
	exit $$status

test-fast: setup  ## Run the tests that take less than ten seconds each
	$(BIN)/python -m pytest -m 'not slow and not alone' $(PARALLEL)

docs: setup  ## Build the site of the documentation into build/site
	$(BIN)/python -m mkdocs build --strict

docs-serve: setup  ## Show the site at http://127.0.0.1:8000 while it is written
	$(BIN)/python -m mkdocs serve

docs-figures: setup  ## Draw the figures of the documentation again
	for name in cd cd-wilcoxon pairs ranks heatmap scatter bayes; do \
	  $(BIN)/snnbench figure $$name --published snn2017 --output docs/figures/$$name.svg || exit; done
	$(BIN)/snnbench run core --model snn --model batchnorm --model random_forest $(SMALL:%=--task %) --results build/figures
	for name in curves hyperparameters cost; do \
	  $(BIN)/snnbench figure $$name build/figures --output docs/figures/$$name.svg || exit; done

fuzz: setup  ## Read many more damaged inputs, new ones every time; TIMES=50 for more, SEED=n for those of an earlier time
	$(BIN)/python -m pytest tests/test_fuzz.py -rP --fuzz-times $(TIMES) --fuzz-seed $(SEED)

browser:  ## Install Chromium for the tests of the page (Debian or Ubuntu, as root)
	apt-get update -q
	apt-get install -y -q --no-install-recommends -o Acquire::Retries=3 chromium fonts-dejavu-core

slurm:  ## Install Slurm and munge for the tests of the engine slurm (Debian or Ubuntu, as root)
	apt-get update -q
	DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends -o Acquire::Retries=3 slurm-wlm munge

check: setup  ## Check style, types and the direction of imports
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup  ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: setup  ## Measure speed and memory; BENCH='--only a,c' for some parts, BENCH=--help for more
	$(BIN)/python tests/bench $(BENCH)

bench-costs: setup  ## Fit the constants of the cost model of networks to this machine
	$(BIN)/python tests/bench/network_costs.py

wheel: setup  ## Build the wheel into dist/
	$(BIN)/python -m build --wheel

clean:  ## Remove the virtual environment and what was built (results stay)
	rm -rf $(VENV) dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis
