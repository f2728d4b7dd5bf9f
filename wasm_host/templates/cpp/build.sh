#!/bin/sh
# Builds @NAME@.wasm from rule.cpp with the clang inside Zig. The standard library's headers are there; what needs an
# operating system (streams, threads) or exceptions is not.
set -eu
cd "$(dirname "$0")"
. ./tools.sh

zig c++ -target wasm32-wasi -mexec-model=reactor -std=c++20 -Os -s -fno-exceptions -fno-rtti -Wall -Wextra -Werror \
    -Wl,-z,stack-size=32768 -o .module.wasm rule.cpp
done_with .module.wasm @NAME@.wasm
