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

FUZZ_SECONDS = 200
WORKERS = 2

.PHONY: help export bench faithful tanks tanks-seeds test test-all test-applications classifiers-page vectors vectors-answers endurance fuzz test-c figures-c test-ray test-web web-packages coverage mutants docs sbom audit-dependencies test-devices test-lowest test-aarch64 load train lint typecheck check parity wheel release-check constraints clean distclean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

EXPORT = $(CAMLITE) export $(REFERENCE).keras --labels $(REFERENCE).labels.txt \
    --calibration $(REFERENCE).calibration.npz --preprocess unit --layer=-3

export: $(READY) ## turn the reference classifier into eight artifacts, and four with fine maps, and draw their heatmaps
	$(EXPORT) --maps cam
	$(EXPORT) --maps sharp --precisions float32 int8 --name $(notdir $(REFERENCE)).sharp

PYTEST = $(PYTHON) -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

test: $(READY) ## run the tests that are worth waiting for, in two processes (WORKERS=2)
	$(PYTEST) --quick

test-all: $(READY) ## run all tests, as CI does
	$(PYTEST)

endurance: $(READY) ## run the long shares of the tests that docs/reliability.md tells of (hours)
	$(PYTHON) -m pytest -m endurance -rA -o faulthandler_timeout=0

fuzz: $(VENV)/.extra-fuzz ## look for bytes that no reader expects, guided by coverage, FUZZ_SECONDS (200) for each of six
	PYTHONPATH=tests $(PYTHON) -m fuzz $(FUZZ_SECONDS)

test-c: $(READY) ## test the C runtime, here and on emulated Cortex-M boards, long shares too (half an hour)
	$(PYTHON) -m pytest tests/c tests/export/to_c -m 'endurance or not endurance'

figures-c: export ## count code, stack and instructions of the C runtime on emulated Cortex-M boards
	$(PYTHON) -m pip install --quiet --no-deps --upgrade --target .environments/bakenn bakenn==1.0.0 tflite==2.18.0
	PYTHONPATH=tests:.environments/bakenn $(PYTHON) -m support.c_figures $(REFERENCE)/fashion_mnist.int8.tflite

test-ray: $(READY) ## run audit and parity on a Ray cluster of this machine, and compare
	$(PYTHON) -m pytest tests/export/audit/test_ray_audit.py tests/export/agreement/test_ray_parity.py -m 'ray or not ray'

# What browsers run artifacts on, at the versions of package-lock.json. npm writes the file last.
WEB_PACKAGES = tests/runtime/web/node_modules/.package-lock.json
$(WEB_PACKAGES): tests/runtime/web/package.json tests/runtime/web/package-lock.json
	npm ci --prefix tests/runtime/web --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

web-packages: $(WEB_PACKAGES)

test-web: $(READY) $(WEB_PACKAGES) ## run all tests of runtime/web, in Node and Chromium (Debian: nodejs npm chromium chromium-driver)
	$(PYTHON) -m pytest tests/runtime/web -m 'endurance or not endurance'

test-applications: $(READY) ## measure networks of keras.applications, half an hour, and write what docs/classifiers.md says
	CAMLITE_WRITE_FIGURES=1 $(PYTHON) -m pytest tests/export/test_applications.py -m applications
	$(MAKE) classifiers-page

classifiers-page: $(READY) ## write docs/classifiers.md from the lists that the tests run over
	PYTHONPATH=tests $(PYTHON) -m support.classifier_kinds

vectors: $(READY) ## make the test vectors of the artifact format, and the examples in runtime/spec/artifact.md
	PYTHONPATH=tests $(PYTHON) -m support.spec_vectors runtime/spec/vectors

vectors-answers: $(READY) ## let the artifacts of the test vectors answer anew, where the arithmetic has changed
	PYTHONPATH=tests $(PYTHON) -m support.spec_vectors runtime/spec/vectors --answers

test-devices: $(READY) ## run the wheel on every Python and backend there is, and write docs/devices.md
	PYTHONPATH=tests $(PYTHON) -m pytest tests/devices -m ''

test-lowest: $(VENV)/.extra-release ## run the tests at the lowest versions of every dependency (LOWEST=device or workstation alone)
	PYTHONPATH=tests $(PYTHON) -m devices.lowest $(LOWEST)

test-aarch64: $(READY) ## run the wheel in Debian's userlands for ARM, and the C example for Linux, under emulation (as root, on Debian)
	PYTHONPATH=tests $(PYTHON) -m devices.aarch64
	$(PYTHON) -m pytest tests/examples/test_linux.py -m endurance

load: export ## serve under 64 connections for a minute, 5 % of them hostile, and beside the bare interpreter (wrk)
	PYTHONPATH=tests $(PYTHON) -m support.http_load $(REFERENCE)/fashion_mnist.int8.tflite 60

parity: export $(PARITY_IMAGES) ## measure the artifacts against Keras (on 10,000 images with FASHION_MNIST_DIR)
	$(CAMLITE) parity $(REFERENCE).keras $(REFERENCE)/*.tflite $(REFERENCE)/*.onnx \
	    --data $(PARITY_IMAGES) --report artifacts/parity

tanks: $(READY) ## rebuild the legend of the tanks: train two classifiers, and audit what they look at
	PYTHONPATH=examples $(PYTHON) -m tanks --output artifacts/tanks --picture docs/tanks.png

tanks-seeds: $(READY) ## the same over 20 seeds of data and training, an hour
	PYTHONPATH=examples $(PYTHON) -m tanks --output artifacts/tanks --seeds 20

bench: export ## measure what an explanation costs, beside others, and write docs/performance.md
	$(PYTHON) benchmarks

faithful: $(READY) $(if $(FASHION_MNIST_DIR),$(TEST_IMAGES)) artifacts/tanks/1/tank/tank.keras ## compare maps with those of other libraries, and write docs/faithfulness.md (an hour)
	$(PYTHON) benchmarks/faithful

artifacts/tanks/1/tank/tank.keras: | $(READY)
	PYTHONPATH=examples $(PYTHON) -m tanks --output artifacts/tanks

train: $(READY) ## train the reference classifier again, from Fashion-MNIST
	PYTHONPATH=examples $(PYTHON) -m fashion_mnist.recipe

lint: $(READY) ## check style and format
	$(PYTHON) -m ruff check
	$(PYTHON) -m ruff format --check

typecheck: $(READY) ## check types
	$(PYTHON) -m mypy

check: lint typecheck test ## what must pass before a commit

wheel: $(READY) ## build wheel and sdist into dist/, the same bytes for the same commit
	export SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct || echo 1580601600) && \
	    $(PYTHON) -m build --no-isolation

# coverage.py replaces os._exit, and what it puts there cannot be sent to a process, as these tests do. Those of
# hostile files count time and memory besides, which measuring takes too.
NOT_COVERED = \
    --deselect tests/runtime/test_hostile.py \
    --deselect tests/runtime/system/test_fresh_process.py::test_a_process_that_dies_is_an_error_of_its_own \
    --deselect tests/export/agreement/test_runner.py::test_an_interpreter_that_dies_is_one_line

coverage: $(VENV)/.extra-release ## measure which branches the tests run, those in processes of their own too
	$(PYTHON) -m pytest --cov=camlite --cov=camlite_export --cov-branch --cov-report=term:skip-covered $(NOT_COVERED) $(COVER)

mutants: $(VENV)/.extra-release ## change cam.py, card.py and heads.py a bit at a time, and list the changes that no test notices
	tools/mutants.sh runtime/camlite/maps/cam.py tests/runtime/maps/test_cam.py
	tools/mutants.sh runtime/camlite/artifact/card.py tests/runtime/artifact/test_card.py tests/runtime/artifact/test_file.py
	tools/mutants.sh export/camlite_export/cutting/heads.py tests/export/cutting/test_heads.py

docs: $(VENV)/.extra-docs ## build the documentation into dist/docs; a warning fails
	NO_MKDOCS_2_WARNING=1 $(PYTHON) -m mkdocs build --strict --quiet
	@echo 'look at it: python3 -m http.server --directory dist/docs (opened from disk, its search does not work)'

sbom: $(VENV)/.extra-release ## write the software bill of materials of the environment, CycloneDX, to dist/
	mkdir -p dist
	sed "s/^dynamic = .*/version = \"$$($(PYTHON) -m hatchling version)\"/" pyproject.toml > dist/sbom.toml
	$(VENV)/bin/cyclonedx-py environment $(PYTHON) --pyproject dist/sbom.toml --mc-type library \
	    --output-reproducible --validate --output-format JSON --output-file dist/camlite.cdx.json
	@rm dist/sbom.toml

audit-dependencies: $(VENV)/.extra-release ## ask PyPI for known vulnerabilities of what constraints.txt pins; SERVICE=osv asks OSV
	$(VENV)/bin/pip-audit --strict --no-deps --disable-pip --progress-spinner off \
	    --vulnerability-service $(or $(SERVICE),pypi) -r constraints.txt

release-check: lint typecheck test-all docs wheel sbom audit-dependencies ## run everything that a release needs, half an hour
	tools/release_check.sh $(VENV)

constraints: ## pin the newest versions that resolve together, in uv.lock and constraints.txt (needs uv)
	uv lock --upgrade
	echo '# The versions of the environment that make sets up, for pip. `make constraints` wrote them, from uv.lock.' > constraints.txt
	uv export --quiet --extra dev --no-hashes --no-emit-project --no-annotate --no-header | sed 's/ ;.*//' >> constraints.txt

clean: ## delete what was exported, measured and built
	rm -rf $(REFERENCE) artifacts/parity artifacts/tanks $(dir $(TEST_IMAGES)) dist
	rm -rf .hypothesis .mypy_cache .pytest_cache .ruff_cache

distclean: clean ## delete the environment, too
	rm -rf $(VENV)

$(TEST_IMAGES): | $(READY)
	PYTHONPATH=examples $(PYTHON) -m fashion_mnist.data $@

# The tools of a few targets alone, installed where one is first needed.
INSTALL = $(or $(shell command -v uv),$(PYTHON) -m) pip install --quiet $(if $(shell command -v uv),--python $(PYTHON))
$(VENV)/.extra-%: pyproject.toml | $(READY)
	$(INSTALL) --constraint constraints.txt --editable '.[$*]'
	@touch $@

# The stamp is written last: what an interrupted set-up has left is thrown away.
$(READY): pyproject.toml constraints.txt
	@rm -rf $(VENV)
	@tools/make_venv.sh $(VENV)
	@touch $@
