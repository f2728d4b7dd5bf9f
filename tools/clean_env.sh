#!/bin/sh
# Run a command without this machine's keys, settings or client configuration, in a HOME of its own.
set -eu
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
env -i HOME="$home" PATH="/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin" LANG=C.UTF-8 \
    TERRAPHIM_DISCOVERY=off PYTHONWARNINGS=default ${CI:+CI="$CI"} "$@"
