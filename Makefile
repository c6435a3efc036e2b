# `make train` and `make test` do all the set-up; a second call starts at once.
.PHONY: train test test-avx2 lint clean
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
READY := $(VENV)/.ready
STEPS ?= 5000
OUTPUT ?= runs/chyvae
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

lint: $(READY)
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy

# Made again when the requirements change.
$(READY): setup.py
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --upgrade pip
	$(VENV)/bin/python -m pip install --quiet --editable '.[test]'
	touch $(READY)

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .ruff_cache
