#!/bin/sh
# Make the virtual environment $1 and install the hash-checked lock file $2 and this checkout into it.
set -eu
venv=$1 lock=$2
python=${PYTHON:-python3}
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "error: Python 3.11 or later is needed; PYTHON=/path/to/python3.11 make run" >&2
    exit 1
}
if [ ! -x "$venv/bin/python" ] || ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
    rm -rf "$venv"
    "$python" -m venv "$venv" >/dev/null 2>&1 || {
        echo "error: Python's venv module is not complete here. Install it with:" >&2
        echo "    apt-get install python3-venv" >&2
        rm -rf "$venv"
        exit 1
    }
fi
echo "setting up $venv (once) ..." >&2
"$venv/bin/python" -m pip install -q --disable-pip-version-check --require-hashes -r "$lock"
"$venv/bin/python" -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
