#!/bin/sh
# Builds @NAME@.wasm from rule.rs with a Rust compiler that has the library for wasm32-unknown-unknown.
set -eu
cd "$(dirname "$0")"
. ./tools.sh

# has_wasm RUSTC: Debian's compiler has the library in a package of its own, rustup's by `rustup target add`.
has_wasm() { [ -d "$("$1" --print target-libdir --target wasm32-unknown-unknown 2>/dev/null)" ]; }

rustc=
for candidate in "${RUSTC:-}" /usr/bin/rustc "$(command -v rustc)"; do
    [ -n "$candidate" ] && [ -x "$candidate" ] && has_wasm "$candidate" && rustc=$candidate && break
done
packages="rustc libstd-rust-dev-wasm32 lld"
if [ -z "$rustc" ] && [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
    echo "    installing $packages" >&2
    apt-get update --quiet >&2 && apt-get install --yes --quiet --no-install-recommends $packages >&2 && rustc=/usr/bin/rustc
fi
[ -n "$rustc" ] || missing "Rust with its WebAssembly library (as root: apt-get install $packages)"

"$rustc" --edition 2021 --target wasm32-unknown-unknown -O -C panic=abort -C lto -C strip=symbols \
    -C link-arg=-zstack-size=32768 --crate-type cdylib -D warnings -o .module.wasm rule.rs
done_with .module.wasm @NAME@.wasm
