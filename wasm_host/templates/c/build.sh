#!/bin/sh
# Builds @NAME@.wasm from rule.c with the clang inside Zig.
set -eu
cd "$(dirname "$0")"
. ./tools.sh

zig cc -target wasm32-freestanding -std=c99 -Os -s -nostdlib -Wall -Wextra -Werror \
    -Wl,--no-entry -Wl,-z,stack-size=32768 -o .module.wasm rule.c
done_with .module.wasm @NAME@.wasm
