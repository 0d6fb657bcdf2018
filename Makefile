# `make help` lists the targets. Everything is set up on first use in .envs/ (needs Python 3.11 to 3.13 with venv, nothing else).
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= $(firstword $(foreach v,python3 python3.13 python3.12 python3.11,$(if $(shell $(v) -c 'import sys, venv, ensurepip; print(int((3, 11) <= sys.version_info < (3, 14)) or "")' 2>/dev/null | grep 1),$(v))))
ENVS := .envs
UV := $(ENVS)/uv/bin/uv
# --native-tls: the system's certificates, as pip uses them behind a company's proxy
INSTALL = $(UV) pip install --native-tls --quiet --require-hashes --python
RACE_PYTHON := $(ENVS)/race/bin/python
TOOLS_PYTHON := $(ENVS)/tools/bin/python
KUBERACER := $(ENVS)/tools/bin/kuberacer
# Without bytecode every stage takes some 5 s longer to start, whatever the shell was told.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  make %-18s %s\n", $$1, $$2}'

$(ENVS)/uv/.ready: images/bootstrap.lock
	@[ -n "$(PYTHON)" ] || { echo "error: no Python 3.11, 3.12 or 3.13 with venv was found"; echo "remedy: install one (Debian: apt-get install python3 python3-venv) or name it: make PYTHON=/path/to/python3.12 …"; exit 1; }
	@echo "setting up .envs/ with $(PYTHON) (once, a minute or two)"
	@rm -rf $(@D) && $(PYTHON) -m venv $(@D) && $(@D)/bin/pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

# The image and the local environment of one name come from one lock.
$(ENVS)/race/.ready: images/race/requirements.lock images/race/sdist.lock $(ENVS)/uv/.ready
	@echo "  race: TensorFlow, rl_coach, numba"
	@rm -rf $(@D) && $(PYTHON) -m venv --without-pip $(@D)
	@$(INSTALL) $(RACE_PYTHON) -r images/race/requirements.lock
	@PYTHONPATH=$(CURDIR)/images/sdist_build $(INSTALL) $(RACE_PYTHON) --no-deps --no-build-isolation -r images/race/sdist.lock
	@echo $(CURDIR) >$$($(RACE_PYTHON) -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/kuberacer.pth
	@touch $@

# The simulator's kernels, compiled once for this machine: anew when their sources change.
$(ENVS)/race/.kernels: $(wildcard kuberacer/sim/*.py) $(ENVS)/race/.ready
	@$(RACE_PYTHON) -m kuberacer.sim.compile_kernels
	@$(RACE_PYTHON) -c 'import kuberacer.coach.build, kuberacer.report.plots, onnxruntime, openvino, tf2onnx' 2>/dev/null # bytecode
	@touch $@

$(ENVS)/tools/.ready: images/tools/requirements.lock pyproject.toml $(ENVS)/uv/.ready
	@echo "  tools: Kubeflow Pipelines' SDK, the object store, the command line"
	@rm -rf $(@D) && $(PYTHON) -m venv --without-pip $(@D)
	@$(INSTALL) $(TOOLS_PYTHON) -r images/tools/requirements.lock
	@$(UV) pip install --quiet --python $(TOOLS_PYTHON) --no-deps --no-build-isolation --offline --editable .
	@touch $@

# For rollout workers of the real DeepRacer simulator; its client needs Python 3.12.
$(ENVS)/deepracer/.ready: images/deepracer/requirements.lock $(ENVS)/uv/.ready
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 12))' || { echo "error: the DeepRacer simulator's client needs Python 3.12, $(PYTHON) is older"; echo "remedy: make PYTHON=/path/to/python3.12 $@"; exit 1; }
	@rm -rf $(@D) && $(PYTHON) -m venv --without-pip $(@D)
	@$(INSTALL) $(@D)/bin/python -r $<
	@echo $(CURDIR) >$$($(@D)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/kuberacer.pth
	@touch $@

# The live view's server and the model server: web servers are nothing that stages or the command line need.
$(ENVS)/watch/.ready: SERVER := the live view's server
$(ENVS)/serve/.ready: SERVER := the model server
$(ENVS)/watch/.ready $(ENVS)/serve/.ready: $(ENVS)/%/.ready: images/%/requirements.lock $(ENVS)/uv/.ready
	@echo "  $*: $(SERVER)"
	@rm -rf $(@D) && $(PYTHON) -m venv --without-pip $(@D)
	@$(INSTALL) $(@D)/bin/python -r $<
	@echo $(CURDIR) >$$($(@D)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/kuberacer.pth
	@touch $@

# RLlib with Unity players, made when it is first asked for. PyPI's torch for Linux is the CUDA build, 5 GB unpacked; TORCH=cpu
# takes the CPU build of the same version from where uv knows it, TORCH=2.15.0+cpu from a package index of one's own.
TORCH_PINNED := $(shell sed -n 's/^torch==//p' images/unity/torch.in)
TORCH_OF = $(if $(filter cpu,$(TORCH)),--torch-backend cpu torch==$(TORCH_PINNED),torch==$(TORCH))
$(ENVS)/unity/.ready: $(wildcard images/unity/*.lock) $(ENVS)/uv/.ready
	@echo "  unity: Ray RLlib, torch, ML-Agents' interface"
	@rm -rf $(@D) && $(PYTHON) -m venv --without-pip $(@D)
	@$(INSTALL) $(@D)/bin/python -r images/unity/requirements.lock
	@$(if $(TORCH),$(UV) pip install --native-tls --quiet --python $(@D)/bin/python $(TORCH_OF),$(INSTALL) $(@D)/bin/python --no-deps -r images/unity/torch.lock)
	@$(INSTALL) $(@D)/bin/python --no-deps --python-version 3.10.12 -r images/unity/mlagents.lock
	@echo $(CURDIR) >$$($(@D)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/kuberacer.pth
	@$(@D)/bin/python -c 'import ray.rllib.algorithms.ppo, torch.onnx, onnxruntime, matplotlib.pyplot' 2>/dev/null # bytecode
	@touch $@

$(ENVS)/serve/.tests: tests/serve.lock $(ENVS)/serve/.ready
	@$(INSTALL) $(@D)/bin/python -r $<
	@touch $@

$(ENVS)/%/.tests: tests/requirements.lock $(ENVS)/%/.ready
	@$(INSTALL) $(@D)/bin/python -r $<
	@touch $@

# What tests/<name>.lock alone makes: lint, a real MLflow server, gym-donkeycar to compare with (it wants the old gym), a browser's driver.
$(patsubst %,$(ENVS)/%/.ready,lint mlflow donkey browser): $(ENVS)/%/.ready: tests/%.lock $(ENVS)/uv/.ready
	@rm -rf $(@D) && $(PYTHON) -m venv --without-pip $(@D)
	@$(INSTALL) $(@D)/bin/python -r $<
	@touch $@

# Log tools and notebooks over a run: pandas, matplotlib, deepracer-utils.
$(ENVS)/analysis/.ready: tests/analysis.lock $(ENVS)/uv/.ready
	@echo "  analysis: pandas, the notebook, deepracer-utils"
	@rm -rf $(@D) && $(PYTHON) -m venv --without-pip $(@D)
	@$(INSTALL) $(@D)/bin/python -r $<
	@touch $@

.PHONY: setup
setup: $(ENVS)/race/.ready $(ENVS)/race/.kernels $(ENVS)/tools/.ready ## make the environments (the other targets do it when needed)

$(ENVS)/peers/.ready: tests/bench/peers.lock $(ENVS)/uv/.ready
	@rm -rf $(@D) && $(PYTHON) -m venv --without-pip $(@D)
	@$(INSTALL) $(@D)/bin/python -r $<
	@touch $@

# What a variable of make gives to the command: TRACK=kidney becomes --track kidney.
RUN_VARIABLES := TRACK REWARD ALGORITHM HYPERPARAMETERS METADATA PRESET PRETRAINED PRETRAINED_CHECKPOINT RACE EVALUATION MINUTES STEPS CARS SEED TRIALS TRAINING_VIDEOS REQUIREMENTS RESUME \
  BACKEND ROLLOUT_WORKERS CARS_PER_WORKER QUEUE REGISTRY UNITY_PLAYER UNITY_EXECUTABLE UNITY_TIMEOUT
lower = $(shell echo $(1) | tr A-Z_ a-z-)
given = $(foreach v,$(1),$(if $($(v)),--$(call lower,$(v)) '$($(v))'))

.PHONY: run-pipeline
run-pipeline: setup $(if $(filter unity_basic,$(PIPELINE)),$(ENVS)/unity/.ready) ## train, evaluate and publish a model: [TRACK=name|file] [REWARD=file] [RACE=file] [EVALUATION=file] [ALGORITHM=clipped_ppo|sac|dqn] [HYPERPARAMETERS=file] [METADATA=file] [PRESET=file] [PRETRAINED=run|model] [MINUTES=…] [SEED=…] [RESUME=run] [BACKEND=local|argo|kfp] [ROLLOUT_WORKERS=n]; [PIPELINE=mountain_car|unity_basic|donkey_cte] [UNITY_PLAYER=file|folder|s3://…] [ENVIRONMENT=id|module:Class|file.py:Class] [COPIES=n] [EPISODES=n]
	@$(KUBERACER) run $(call given,$(RUN_VARIABLES)) $(call asked,PIPELINE ENVIRONMENT COPIES EPISODES SIMULATOR CHECKPOINT_RUNID CHECKPOINT_ID MLFLOW_EXPERIMENT MLFLOW_TRACKING_URI)

.PHONY: run-sweep
run-sweep: setup ## train several settings with several seeds and compare them: [SEEDS=0,1,2] [SETTINGS=file] [TRACK=…] [MINUTES=…] [BACKEND=…] [RESUME=run]
	@$(KUBERACER) sweep $(call given,SEEDS SETTINGS TRACK REWARD REQUIREMENTS RACE ALGORITHM METADATA MINUTES STEPS CARS ROLLOUT_WORKERS BACKEND RESUME)

.PHONY: validate
validate: setup ## check a reward function and a race: REWARD=file [TRACK=…] [RACE=file] [EVALUATION=file] [REQUIREMENTS=file]
	@$(KUBERACER) validate $(call given,REWARD TRACK RACE EVALUATION REQUIREMENTS)

.PHONY: tracks
tracks: setup ## list the tracks with length, width and a picture
	@$(KUBERACER) tracks

.PHONY: import-model
import-model: setup ## make a model to train on from: FROM=folder|file.tar.gz|file.zip|s3://… [WHICH=best|last] [NAME=…]
	@$(KUBERACER) import-model $(call given,FROM WHICH NAME)

.PHONY: export-model
export-model: setup ## write a model in DeepRacer's layout: RUN=… TO=folder|file.tar.gz|s3://… [WHICH=best|last]
	@$(KUBERACER) export-model $(call given,RUN TO WHICH)

.PHONY: leaderboard
leaderboard: setup ## rank the published models, of the bucket of KUBERACER_S3_BUCKET or of out/: [NAME=LEADERBOARD_NAME]
	@$(KUBERACER) leaderboard $(call given,NAME)

.PHONY: replay-reward
replay-reward: setup ## what a reward function would have given for what a run has driven: [RUN=latest] [REWARD=file] [ITERATIONS=5-20]
	@$(KUBERACER) replay-reward $(if $(RUN),'$(RUN)') $(call given,REWARD ITERATIONS REQUIREMENTS)

.PHONY: clean-run
clean-run: setup ## remove a run, from here, the store and the cluster; shows it and asks: RUN=name [YES=1] [STOP=1]
	@$(KUBERACER) clean '$(RUN)' $(if $(YES),--yes) $(if $(STOP),--stop)

# HOST, PORT, TOKEN, ENVIRONMENT and others may be in anybody's environment and mean something else there.
asked = $(foreach v,$(1),$(if $(filter command,$(origin $(v))),--$(call lower,$(v)) '$($(v))'))

.PHONY: watch
watch: $(ENVS)/tools/.ready $(ENVS)/watch/.ready ## the live view: a web page of the runs, of the bucket of KUBERACER_S3_BUCKET or of out/: [RUN=run|latest] [PORT=8080] [HOST=127.0.0.1] [TOKEN=…]
	@$(if $(filter command,$(origin TOKEN)),KUBERACER_WATCH_TOKEN='$(TOKEN)') exec $(KUBERACER) watch $(call asked,RUN PORT HOST)

.PHONY: deploy-endpoint predict delete-endpoint endpoints
deploy-endpoint: $(ENVS)/tools/.ready $(ENVS)/serve/.ready ## serve a run's model over HTTP: RUN=… [NAME=…] [PORT=8090] [EXPIRES=8h|never] [HOST=127.0.0.1] [WORKERS=2] [BACKEND=local|kubernetes|kserve]
	@$(KUBERACER) deploy-endpoint $(call asked,RUN NAME PORT EXPIRES HOST WORKERS BACKEND)
predict: $(ENVS)/tools/.ready ## ask an endpoint what to do: RUN=…|NAME=… OBSERVATION='[0.5,-0.5]'|IMAGE=file [BACKEND=…]
	@$(KUBERACER) predict $(call asked,RUN NAME OBSERVATION BACKEND) $(foreach image,$(IMAGE),--image '$(image)')
delete-endpoint: $(ENVS)/tools/.ready ## end an endpoint: RUN=…|NAME=… [BACKEND=…]
	@$(KUBERACER) delete-endpoint $(call asked,RUN NAME BACKEND)
endpoints: $(ENVS)/tools/.ready ## list the endpoints: [BACKEND=…]
	@$(KUBERACER) endpoints $(call asked,BACKEND)

.PHONY: prune
prune: setup ## remove old runs by a policy; only says which without YES=1: [NEWEST=10] [DAYS=30] [BEST=1] [YES=1]
	@$(KUBERACER) prune $(call given,NEWEST DAYS BEST) $(if $(YES),--yes)

.PHONY: cost
cost: setup ## what a run took, and with a price table what it cost: [RUN=latest] [PRICES=file]
	@$(KUBERACER) cost '$(or $(RUN),latest)' $(call given,PRICES)

.PHONY: notebook
notebook: setup $(ENVS)/analysis/.ready ## docs/analysis.ipynb over a run, into its folder as analysis.ipynb and analysis.html: [RUN=latest] [REWARD=file]
	@test -e 'out/$(or $(RUN),latest)/run.json' || { echo "error: there is no run $(or $(RUN),latest) in out"; echo "remedy: make run-pipeline, or name another: make notebook RUN=…"; exit 1; }
	@RUN='$(or $(RUN),latest)' $(if $(REWARD),REWARD='$(abspath $(REWARD))') $(ENVS)/analysis/bin/jupyter-execute --output='$(CURDIR)/out/$(or $(RUN),latest)/analysis.ipynb' docs/analysis.ipynb
	@$(ENVS)/analysis/bin/jupyter-nbconvert --log-level WARN --to html 'out/$(or $(RUN),latest)/analysis.ipynb'
	@echo "notebook: out/$(or $(RUN),latest)/analysis.html"

.PHONY: compile
compile: setup ## compile the pipeline for upload in the Kubeflow UI
	@$(KUBERACER) compile

# Which tests need which environment; each suite closes with pytest's own line.
TOOLS_TESTS := tests/unit/run tests/unit/store tests/golden tests/local
WATCH_TESTS := tests/unit/watch
UNITY_TESTS := tests/unit/rllib
SERVE_TESTS := tests/unit/serve
RACE_TESTS := $(filter-out tests/unit/run tests/unit/store $(WATCH_TESTS) $(UNITY_TESTS) $(SERVE_TESTS),$(patsubst %/,%,$(sort $(dir $(wildcard tests/unit/*/)))))

PROCESSES := -n auto --maxprocesses 4
# A file's tests stay in one process: their fixtures (servers, trained models) are made once.
SPREAD := $(PROCESSES) --dist loadfile

.PHONY: test
test: setup $(ENVS)/race/.tests $(ENVS)/tools/.tests $(ENVS)/watch/.tests $(ENVS)/serve/.tests ## set everything up and pass the tests
	@$(RACE_PYTHON) -m pytest $(SPREAD) $(RACE_TESTS)
	@$(ENVS)/watch/bin/python -m pytest $(SPREAD) $(WATCH_TESTS)
	@$(ENVS)/serve/bin/python -m pytest $(SPREAD) $(SERVE_TESTS)
	@$(TOOLS_PYTHON) -m pytest $(SPREAD) $(TOOLS_TESTS)

.PHONY: test-browser
test-browser: setup $(ENVS)/watch/.ready $(ENVS)/browser/.ready ## pass the live view's tests in the system's Chromium (screenshots: out/browser)
	@$(ENVS)/browser/bin/python -m pytest tests/browser

.PHONY: test-unity
test-unity: setup $(ENVS)/unity/.tests ## pass the tests of RLlib and Unity players, in an environment of their own: [TORCH=cpu]
	@$(ENVS)/unity/bin/python -m pytest $(UNITY_TESTS)

.PHONY: test-matrix
test-matrix: setup $(ENVS)/race/.tests ## train, freeze and drive every combination of sensors, network, learner and stack (hours), or a part of them: [PART=3/8]
	@KUBERACER_TEST_MATRIX=$(or $(PART),1/1) $(RACE_PYTHON) -m pytest $(PROCESSES) tests/unit/rollout/test_sensor_matrix.py

.PHONY: test-analysis
test-analysis: setup $(ENVS)/analysis/.tests ## read a real run with PyPI's deepracer-utils and with the notebook (two minutes)
	@$(ENVS)/analysis/bin/python -m pytest tests/analysis

.PHONY: test-donkey
test-donkey: setup $(ENVS)/donkey/.ready ## compare the donkey car's protocol with PyPI's gym-donkeycar (half a minute)
	@$(ENVS)/donkey/bin/python -m pytest tests/donkey

.PHONY: test-mlflow
test-mlflow: setup $(ENVS)/race/.tests $(ENVS)/mlflow/.ready ## train with a real MLflow server from PyPI (a minute)
	@$(RACE_PYTHON) -m pytest tests/mlflow

# The users' way to a cluster is kind; any other is named by KUBECONFIG.
.PHONY: test-cluster
test-cluster: setup $(ENVS)/tools/.tests $(ENVS)/serve/.tests ## pass the tests that need a cluster: that of KUBECONFIG, or a kind cluster
ifeq ($(KUBECONFIG),)
	@$(MAKE) --no-print-directory cluster-up
	@mkdir -p build && kind get kubeconfig --name kuberacer >build/kind.kubeconfig
	@KUBERACER_TEST_IMAGE=docker.io/library/python:3.12-slim $(MAKE) --no-print-directory test-cluster KUBECONFIG=$(CURDIR)/build/kind.kubeconfig
else
	@$(TOOLS_PYTHON) -m pytest tests/cluster/test_gpu_pool.py # by itself: it taints the node
	@$(TOOLS_PYTHON) -m pytest -n 3 --dist loadfile --no-loadscope-reorder --ignore tests/cluster/test_gpu_pool.py tests/cluster
endif

.PHONY: lint
lint: setup $(ENVS)/lint/.ready ## style, types, import rules
	@$(ENVS)/lint/bin/ruff check --quiet .
	@$(ENVS)/lint/bin/ruff format --check --quiet . || { echo "remedy: make format"; exit 1; }
	@$(ENVS)/lint/bin/mypy --python-executable $(RACE_PYTHON) kuberacer --exclude kuberacer/run
	@$(ENVS)/lint/bin/mypy --python-executable $(TOOLS_PYTHON) kuberacer/run pipelines components
	@PYTHONPATH=. $(ENVS)/lint/bin/lint-imports

.PHONY: format
format: $(ENVS)/lint/.ready ## format the code
	@$(ENVS)/lint/bin/ruff check --quiet --fix . ; $(ENVS)/lint/bin/ruff format --quiet .

.PHONY: bench
bench: setup $(ENVS)/peers/.ready ## simulator, learning and rollouts against their peers, into out/bench.json (10 minutes)
	@$(RACE_PYTHON) -m tests.bench

.PHONY: bench-cluster
bench-cluster: setup ## what Argo and Kubeflow add to each stage, and rollouts from 1 to 64 paced workers: on the cluster of KUBECONFIG, into out/bench-cluster.json
	@mkdir -p out && $(TOOLS_PYTHON) -m tests.bench.bench_cluster | tee out/bench-cluster.json
	@$(RACE_PYTHON) -m tests.bench --only rollouts

.PHONY: bench-learning
bench-learning: setup ## seeds × tracks: laps, time to the first lap, whole time (half an hour), into out/bench-learning.json
	@$(TOOLS_PYTHON) -m tests.bench.learning

.PHONY: bench-serving
bench-serving: $(ENVS)/serve/.tests ## the model server: latency at 100 requests/s, throughput, what a kill loses (a minute), into out/bench-serving.json
	@$(ENVS)/serve/bin/python -m tests.bench.serving

.PHONY: lock
lock: $(ENVS)/uv/.ready ## resolve the requirements anew
	@for name in images/bootstrap images/race/requirements images/race-gpu/requirements images/rollout/requirements images/tools/requirements images/watch/requirements images/serve/requirements tests/requirements tests/serve tests/browser tests/lint tests/analysis tests/donkey tests/mlflow tests/bench/peers; do \
	  echo "$$name"; \
	  $(UV) pip compile --native-tls --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header $$name.in -o $$name.lock || exit 1; \
	done
	@for name in requirements torch; do $(UV) pip compile --native-tls --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header --no-emit-package triton images/unity/$$name.in -o images/unity/$$name.lock || exit 1; done
	@$(UV) pip compile --native-tls --quiet --universal --python-version 3.12 --generate-hashes --no-emit-index-url --no-annotate --no-header images/deepracer/requirements.in -o images/deepracer/requirements.lock

.PHONY: clean
clean: ## remove the environments and build outputs (not out/)
	@rm -rf $(ENVS) build

include manifests/cluster.mk
