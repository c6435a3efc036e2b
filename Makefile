# `make train` and `make test` do all the set-up; a second call starts at once.
.PHONY: train test test-avx2 lint docs links clean
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
READY := $(VENV)/.ready
DOCS_READY := $(VENV)/.docs_ready
STEPS ?= 5000
OUTPUT ?= runs/chyvae
SPHINX := $(VENV)/bin/python -m sphinx -c docs -q -d build/doctrees
NUMERIC := $(addprefix tests/,distributions latents metrics models networks objectives \
    priors)

# Trains CHyVAE's first steps, scores it, draws it and says how to go on.
train: $(READY)
	bin/train --gin_file=gin/chyvae.gin --output=$(OUTPUT) \
	    --gin_param='train.steps=$(STEPS)'

# One thread of linear algebra for each of the two workers: more would wait in turns.
test: $(READY)
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 \
	    $(VENV)/bin/python -m pytest -n 2 --dist worksteal

# The numeric suites again as on a processor with AVX2 and no AVX-512.
test-avx2: $(READY)
	OPENBLAS_CORETYPE=Haswell ONEDNN_MAX_CPU_ISA=AVX2 \
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 \
	    $(VENV)/bin/python -m pytest -n 2 --dist worksteal $(NUMERIC)

# Makes build/docs/index.html. Warnings are errors; nothing is fetched.
docs: $(DOCS_READY)
	$(SPHINX) -b html -W --keep-going . build/docs

# Asks for every external link, which needs a network: the failures are listed.
links: $(DOCS_READY)
	$(SPHINX) -b linkcheck . build/links

lint: $(READY)
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	$(VENV)/bin/codespell

# Made again when the requirements change.
$(READY): setup.py
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --upgrade pip
	$(VENV)/bin/python -m pip install --quiet --editable '.[test]'
	touch $(READY)

$(DOCS_READY): setup.py $(READY)
	$(VENV)/bin/python -m pip install --quiet --editable '.[docs]'
	touch $(DOCS_READY)

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .ruff_cache
