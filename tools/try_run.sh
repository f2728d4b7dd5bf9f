#!/bin/sh
# `make run` as a new user would: it must answer a request of each dialect, in an environment without keys.
set -eu
port=${PORT:-3456}
home=$(mktemp -d)
env -i HOME="$home" PATH="$PATH" TERRAPHIM_DISCOVERY=off TERRAPHIM_SERVER__PORT="$port" make run >"$home/log" 2>&1 &
serving=$!
trap 'kill $serving 2>/dev/null; wait $serving 2>/dev/null || :; rm -rf "$home"' EXIT
ask() { curl -sS --fail-with-body "http://127.0.0.1:$port$1" -H 'content-type: application/json' -d "$2"; }
tries=0
until curl -s -o /dev/null "http://127.0.0.1:$port/health"; do
    tries=$((tries + 1))
    [ $tries -lt 600 ] || { echo "make run did not answer:"; cat "$home/log"; exit 1; }
    sleep 0.2
done
ask /v1/messages '{"model":"wasm-demo","max_tokens":99,"messages":[{"role":"user","content":"hi"}]}' | grep -q 'rule:wasm-demo'
ask /v1/chat/completions '{"model":"auto","messages":[{"role":"user","content":"hi"}]}' | grep -q 'reason: default'
echo "make run answers in both dialects on port $port"
