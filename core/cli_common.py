"""What the commands share: options, loading with errors for people, printing. Imports wait until they are needed."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

if TYPE_CHECKING:
    from core.errors import ConfigError
    from core.generation import Generation
    from core.settings import Loaded
    from wasm_host.trust import Policy

EXIT_FAILURE, EXIT_USAGE, EXIT_CONFIG = 1, 2, 78

Config = Annotated[Path | None, typer.Option("--config", help="Configuration file (TOML).")]
Plugins = Annotated[Path | None, typer.Option("--plugins", help="Folder of rules; wins over the configuration.")]
Taxonomy = Annotated[Path | None, typer.Option("--taxonomy", help="Folder of the taxonomy; as --plugins.")]
PublicKeys = Annotated[
    list[str] | None,
    typer.Option("--public-key", help="Base64 or a file, repeatable: one of these must have signed."),
]
Url = Annotated[str, typer.Option(help="Where the proxy is, if not where the configuration says.")]
TokenFile = Annotated[Path | None, typer.Option(help="File with the admin token, if not the configured one or ours.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def load_config(config: Path | None, plugins: Path | None = None, taxonomy: Path | None = None) -> "Loaded":
    """The configuration, or exit 78 with every problem."""
    from core import settings
    from core.errors import ConfigError

    try:
        return settings.load(config, settings.environ(), plugins=plugins, taxonomy=taxonomy)
    except ConfigError as exc:
        refuse(exc)


def refuse(exc: "ConfigError") -> NoReturn:
    """Say every mistake of a configuration, and exit 78."""
    for problem in exc.problems:
        print(f"error: {problem}", file=sys.stderr)
    raise typer.Exit(EXIT_CONFIG)


def refuse_with(why: str, code: int = EXIT_FAILURE) -> NoReturn:
    """Say why, and exit."""
    print(f"error: {why}", file=sys.stderr)
    raise typer.Exit(code)


def build_generation(loaded: "Loaded") -> "Generation":
    """Snapshot and all of a loaded configuration."""
    from core import settings
    from core.cli_progress import Busy
    from core.generation import load_generation

    with Busy("reading and compiling rules"):
        return load_generation(loaded, settings.cache_dir(settings.environ()))


def cache_folder() -> Path:
    """Where compiled modules are kept."""
    from core import settings

    return settings.cache_dir(settings.environ())


def policy_of_keys(public_keys: list[str] | None) -> "Policy":
    """The policy of who names keys on the command line; exit 2 if one is no key."""
    from core.settings import read_public_key
    from wasm_host.trust import Policy

    try:
        keys = tuple(read_public_key(text, Path()) for text in public_keys or ())
    except ValueError as exc:
        refuse_with(f"--public-key: {exc}", EXIT_USAGE)
    return Policy(require_signature=bool(keys), public_keys=keys)


def print_json(value: Any) -> None:
    """Print a value as indented JSON."""
    import msgspec

    print(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def read_file(file: Path) -> bytes:
    """A file's bytes, or exit 1 saying why not."""
    try:
        return file.read_bytes()
    except OSError as exc:
        refuse_with(f"{file}: {exc.strerror}")


def existing(path: Path) -> Path:
    """`path` if something is there, or exit 1 saying that nothing is."""
    if not path.exists():
        refuse_with(f"{path}: No such file or folder")
    return path
