# Every target sets up what it needs first, and skips what is done. `make help` lists them.
SHELL := /bin/bash
VENV := .venv
PYTHON := $(VENV)/bin/python
READY := $(VENV)/.ready
ARGS ?=
# Of tests that share the cores: threads that spin while they wait would keep the others from working.
SHARED := OMP_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE

.PHONY: help install train test test-wide test-all test-extras test-guide lint types format bench notebook guide guide-figures docs soak fuzz dashboard clean
.DEFAULT_GOAL := help

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## (.*)/  make \1|\2/' | column -t -s '|'

install: $(READY) ## make .venv and install everything, at the versions in constraints.txt

$(READY): pyproject.toml constraints.txt
	python3 -c 'import sys; sys.exit("litmus needs Python 3.11 or newer; python3 is " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	test -x $(PYTHON) || python3 -m venv $(VENV)
	$(PYTHON) -m pip install --quiet --no-compile --disable-pip-version-check --constraint constraints.txt --editable '.[bundled,text,table,detection,export,openvino,search,compare,baselines,explain,serve,dev]'
	@# pip would compile with one core, also what nobody imports. Some files are for a newer Python, and cannot be.
	@$(PYTHON) -m compileall -q -j 0 -x '/tests/|transformers/models/' $(VENV)/lib > /dev/null 2>&1 || true
	@touch $@

train: install ## train a CNN on MNIST; ARGS="model=fnn seed=7" for anything else
	$(PYTHON) train.py $(or $(ARGS),model=cnn)

test: install ## the quick tests, offline; under ten minutes on two cores
	$(SHARED) $(PYTHON) -m pytest -m 'not wide and not slow' --numprocesses 2 --dist worksteal $(ARGS)

test-wide: install ## every network with every dataset and verb, processes, browsers; about twenty minutes
	$(SHARED) $(PYTHON) -m pytest -m 'wide and not slow' --numprocesses 2 --dist worksteal $(ARGS)

test-all: install ## all tests, those that take minutes, too
	$(PYTHON) -m pytest $(ARGS)

test-extras: install ## the tests of packages that only some need: of loggers, of the hub and of PostgreSQL
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[hub,mlflow,postgresql,wandb]'
	$(SHARED) $(PYTHON) -m pytest --numprocesses 2 --dist worksteal tests/logger $(wildcard tests/*/test_hub*.py) tests/sweep/search/test_several_launchers.py $(ARGS)

lint: install ## ruff: mistakes and layout
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .

types: install ## mypy, strict
	$(PYTHON) -m mypy

format: install ## let ruff fix what it can
	$(PYTHON) -m ruff check --fix .
	$(PYTHON) -m ruff format .

bench: install ## measure speed, accuracy and memory; all of it takes about four hours
	$(PYTHON) -m bench $(ARGS)

notebook: install ## run the cells of docs/python.ipynb, and write it with what they print
	$(PYTHON) docs/notebook.py

guide: install ## the guide as a site, in outputs/guide
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[guide]'
	NO_MKDOCS_2_WARNING=1 $(PYTHON) -m mkdocs build --quiet --strict --config-file docs/mkdocs.yml

guide-figures: install ## run the commands of the guide's pages, and draw their figures; ARGS=01-perceptron for one
	OMP_NUM_THREADS=1 $(PYTHON) docs/guide_figures.py $(ARGS)

test-guide: install ## every claim of the guide, by the commands of its pages
	$(SHARED) $(PYTHON) -m pytest tests/guide --numprocesses 2 --dist loadfile $(ARGS)

docs: install ## run the commands that README.md and docs/ show, and write what they print and all pictures; ten minutes
	OMP_NUM_THREADS=1 $(PYTHON) docs/make.py

soak: install ## kill runs of every network at random moments, resume them and compare; about 25 minutes
	$(PYTHON) -m bench kills

fuzz: install ## 10,000 files and command lines that nobody would write: no crash, no hang; about 10 minutes
	$(SHARED) LITMUS_FUZZ=10000 $(PYTHON) -m pytest tests/trust/test_fuzz.py --verbose --numprocesses 2 $(ARGS)

dashboard: install ## TensorBoard on every run, at localhost:6006
	$(PYTHON) -m litmus dashboard outputs $(ARGS)

clean: ## remove the environment and caches; outputs/ stays
	rm -rf $(VENV) build dist src/*.egg-info .pytest_cache .mypy_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
