#!/bin/sh
# Builds @NAME@.wasm from rule.zig. Zig's own default for the stack is 16 MiB, all that a rule may have.
set -eu
cd "$(dirname "$0")"
. ./tools.sh

zig build-exe -target wasm32-freestanding -O ReleaseSmall -fno-entry -rdynamic -fstrip --stack 32768 \
    -femit-bin=.module.wasm rule.zig
done_with .module.wasm @NAME@.wasm
