# Sourced by build.sh. Toolchains are kept in .tools, or where $RULE_TOOLS says; exit status 69: one cannot be had.
PYTHON=${PYTHON:-python3}
TOOLS=${RULE_TOOLS:-$PWD/.tools}
mkdir -p "$TOOLS"

missing() {
    echo "MISSING: $1" >&2
    exit 69
}

# install NAME COMMAND...: runs the command, whose last argument is a folder that it fills, unless that was done before.
# The folder appears, and is called $folder, only when it is whole.
install() {
    local tool="$1"
    shift
    if [ ! -d "$TOOLS/$tool" ]; then
        echo "    installing $tool" >&2
        mkdir -p "$TOOLS/$tool.$$"
        "$@" "$TOOLS/$tool.$$" >&2 || { rm -rf "$TOOLS/$tool.$$"; missing "$tool could not be installed by $1"; }
        mv -T "$TOOLS/$tool.$$" "$TOOLS/$tool" 2>/dev/null || rm -rf "$TOOLS/$tool.$$" # another build was quicker
    fi
    folder=$TOOLS/$tool
}

from_pypi() { install "$1" "$PYTHON" -m pip install --quiet --disable-pip-version-check "$1" --target; }

from_npm() {
    command -v npm >/dev/null || missing "npm is not installed (Debian: apt-get install nodejs npm)"
    install "${1##*/}" npm install --silent --no-fund --no-audit "$1" --prefix
    bin=$folder/node_modules/.bin
}

# zig ARGUMENTS...: Zig, which is a C and C++ compiler too.
zig() {
    from_pypi ziglang==0.17.1
    PYTHONPATH=$folder ZIG_GLOBAL_CACHE_DIR=$TOOLS/zig-cache ZIG_LOCAL_CACHE_DIR=$TOOLS/zig-cache \
        "$PYTHON" -m ziglang "$@"
}

# done_with FILE NAME: the module appears only when it is whole.
done_with() {
    chmod 644 "$1"
    mv "$1" "$2"
    echo "    $2 ($(wc -c <"$2" | tr -d ' ') bytes)"
}
