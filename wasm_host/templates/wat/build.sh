#!/bin/sh
# Builds @NAME@.wat: the rule, its reader and what the proxy calls, one after the other. No toolchain is needed.
set -eu
cd "$(dirname "$0")"
. ./tools.sh

cat rule.wat terraphim.wat json.wat >.module.wat
done_with .module.wat @NAME@.wat
