# `make` lists the targets. The first one that needs it makes the environment .venv.

.DEFAULT_GOAL := help

VENV := .venv
PYTHON := $(VENV)/bin/python
CAMLITE := $(VENV)/bin/camlite
READY := $(VENV)/.ready

REFERENCE := artifacts/fashion_mnist
TEST_IMAGES := artifacts/data/fashion_mnist.t10k.npz
# All 10,000 test images where the data set is at hand, else the 200 prototypes of the calibration set.
PARITY_IMAGES = $(if $(FASHION_MNIST_DIR),$(TEST_IMAGES),$(REFERENCE).calibration.npz)

.PHONY: help export test test-devices test-aarch64 train lint typecheck check parity wheel constraints clean distclean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

export: $(READY) ## turn the reference classifier into eight artifacts, and draw their heatmaps
	$(CAMLITE) export $(REFERENCE).keras --labels $(REFERENCE).labels.txt \
	    --calibration $(REFERENCE).calibration.npz --layer=-3

test: $(READY) ## run the tests
	$(PYTHON) -m pytest

test-devices: $(READY) ## run the wheel on every Python and backend there is, and write docs/devices.md
	PYTHONPATH=tests $(PYTHON) -m pytest tests/devices -m devices

test-aarch64: $(READY) ## run the wheel in Debian's userlands for ARM, under emulation (as root, on Debian)
	PYTHONPATH=tests $(PYTHON) -m devices.aarch64

parity: export $(PARITY_IMAGES) ## measure the artifacts against Keras (on 10,000 images with FASHION_MNIST_DIR)
	$(CAMLITE) parity $(REFERENCE).keras $(REFERENCE)/*.tflite $(REFERENCE)/*.onnx \
	    --data $(PARITY_IMAGES) --report artifacts/parity

train: $(READY) ## train the reference classifier again, from Fashion-MNIST
	$(PYTHON) -m camlite_export.reference.recipe

lint: $(READY) ## check style and format
	$(PYTHON) -m ruff check
	$(PYTHON) -m ruff format --check

typecheck: $(READY) ## check types
	$(PYTHON) -m mypy

check: lint typecheck test ## everything that must pass before a commit

wheel: $(READY) ## build wheel and sdist into dist/, the same bytes for the same commit
	export SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct || echo 1580601600) && \
	    $(PYTHON) -m build --no-isolation

constraints: ## pin the newest versions that resolve together, in constraints.txt
	rm -rf $(VENV)
	python3.11 -m venv $(VENV)
	$(PYTHON) -m pip install --quiet --editable '.[dev]'
	echo '# The versions of the environment that make sets up. `make constraints` wrote them.' > constraints.txt
	$(PYTHON) -m pip list --format freeze --exclude-editable --exclude pip >> constraints.txt
	touch $(READY)

clean: ## delete what was exported, measured and built
	rm -rf $(REFERENCE) artifacts/parity $(dir $(TEST_IMAGES)) dist
	rm -rf .hypothesis .mypy_cache .pytest_cache .ruff_cache

distclean: clean ## delete the environment, too
	rm -rf $(VENV)

$(TEST_IMAGES): | $(READY)
	$(PYTHON) -m camlite_export.reference.data $@

# The stamp is written last: what an interrupted set-up has left is thrown away.
$(READY): pyproject.toml constraints.txt
	@rm -rf $(VENV)
	@tools/make_venv.sh $(VENV)
	@touch $@
