#!/usr/bin/env bash
# Installs textseq into .venv if need be, then runs its checks: ruff, mypy and the tests.
# Usage: scripts/test.sh [--slow] [arguments of pytest]
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/environment.sh

# XLA compiles thousands of operations for the tests on JAX, most of which run once: as they stand, that takes a fifth
# of the time less. The long run optimizes them, as trainings do.
export JAX_DISABLE_MOST_OPTIMIZATIONS=1
# What one process compiled, others read.
JAX_COMPILATION_CACHE_DIR=$(mktemp -d)
trap 'rm -rf "$JAX_COMPILATION_CACHE_DIR"' EXIT
export JAX_COMPILATION_CACHE_DIR JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS=0 JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES=-1
slow=(-m "not slow")
if [ "${1:-}" = "--slow" ]; then slow=() JAX_DISABLE_MOST_OPTIMIZATIONS=0; shift; fi

make_environment test,baseline,quickstart,jax

export HF_HUB_OFFLINE=1 TF_CPP_MIN_LOG_LEVEL=3 PYTHONDONTWRITEBYTECODE=1
.venv/bin/ruff check .
.venv/bin/ruff format --check .
.venv/bin/mypy
.venv/bin/python -m pytest -n 2 --dist loadfile "${slow[@]}" "$@"
# What holds of layers, losses and encoders has to hold on the other backend too.
if [ "$#" -eq 0 ]; then
    KERAS_BACKEND=jax .venv/bin/python -m pytest -n 2 --dist worksteal "${slow[@]}" tests/contract tests/unit/layers tests/unit/recurrence
fi
