#!/bin/sh
# Builds @NAME@.wasm from rule.ts (through terraphim.ts, which exports what the proxy calls).
set -eu
cd "$(dirname "$0")"
. ./tools.sh

from_npm assemblyscript@0.28.20
"$bin/asc" terraphim.ts -O3s --runtime stub --use abort= --noAssert --outFile .module.wasm
done_with .module.wasm @NAME@.wasm
