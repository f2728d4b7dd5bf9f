#!/bin/sh
# Resolve the three lock files: versions and hashes, no registry's address.
set -eu
bin=$1
pin() { "$bin/uv" pip compile -q --no-header --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
    --no-emit-find-links "$@"; }
pin pyproject.toml --group build -o requirements.lock
pin pyproject.toml --group build --group dev -c requirements.lock -o requirements-dev.lock
pin pyproject.toml --group build --group dev --group local -c requirements-dev.lock -o requirements-local.lock
