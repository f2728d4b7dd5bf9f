"""`rules lock | sign | verify`: which modules may run, and who says so."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from core.cli_common import (
    EXIT_FAILURE,
    EXIT_USAGE,
    Config,
    Json,
    Plugins,
    PublicKeys,
    load_config,
    policy_of_keys,
    print_json,
    refuse_with,
)

trust_app = typer.Typer()


@trust_app.command("lock")
def rules_lock(
    config: Config = None,
    plugins: Plugins = None,
    check: Annotated[bool, typer.Option("--check", help="Only compare; exit 1 if the lock would change.")] = False,
    as_json: Json = False,
) -> None:
    """Write plugins.lock: the modules and manifests that are in the folder now, and no others, may run."""
    from wasm_host import audit, files, trust

    folder = load_config(config, plugins).settings.plugins.dir or Path()
    path = folder / trust.LOCK_NAME
    try:
        lock = audit.lock_of(folder)
        text = trust.render_lock(lock)
        changes = audit.changes(_old_lock(folder, tolerant=not check), lock)
        stale = changes or not path.exists()
        if not check:
            _write(path, text)
    except files.Unusable as exc:
        refuse_with(f"{folder}: {exc.message} ({exc.hint})")
    if as_json:
        print_json({"lock": str(path), "files": len(lock), "changes": [{"file": f, "change": c} for f, c in changes]})
    else:
        for name, change in changes:
            print(f"{change}: {name}")
        said = ("differs" if stale else "holds") if check else "written"
        print(f"{path}: {said}, {len(lock)} files, {len(changes)} changes")
    raise typer.Exit(EXIT_FAILURE if check and stale else 0)


def _old_lock(folder: Path, *, tolerant: bool) -> Any:
    """The lock as it was; a broken one counts as empty for who is about to replace it."""
    from wasm_host import files, trust

    try:
        return trust.read_lock(folder) or {}
    except files.Unusable as exc:
        if tolerant:
            return {}
        raise files.Unusable(f"{trust.LOCK_NAME} {exc.message}", exc.hint) from None


@trust_app.command("sign")
def rules_sign(
    file: Annotated[Path | None, typer.Argument(help="A .wasm or .wat file.")] = None,
    key: Annotated[Path | None, typer.Option("--key", help="Private key: PEM, or base64 of 32 bytes.")] = None,
    new_key: Annotated[Path | None, typer.Option("--new-key", help="Make a key here, and its public half.")] = None,
    as_json: Json = False,
) -> None:
    """Sign a module (Ed25519) into FILE.sig; --new-key makes a key pair."""
    from wasm_host import files, signature

    if (key is None) == (new_key is None) or (file is None and new_key is None):
        print("error: name FILE and --key KEYFILE, or --new-key KEYFILE to make a key", file=sys.stderr)
        raise typer.Exit(EXIT_USAGE)
    where = key or new_key or Path()
    try:
        made = signature.SigningKey.generate(where) if new_key else signature.SigningKey.read(where)
        facts: dict[str, Any] = {"key_id": signature.key_id(made.public), "public_key": made.public}
        if new_key:
            facts |= {"key_file": str(new_key), "public_key_file": f"{new_key}.pub"}
        if file is not None:
            where = file
            facts |= _sign(file, made)
    except files.Unusable as exc:
        refuse_with(f"{where}: {exc.message} ({exc.hint})")
    if as_json:
        print_json(facts)
    else:
        print("\n".join(f"{name}: {value}" for name, value in facts.items()))


def _sign(file: Path, key: Any) -> dict[str, Any]:
    """Write FILE.sig; what was signed."""
    import hashlib

    from wasm_host import abi, files, signature

    if file.suffix not in abi.SUFFIXES:
        raise files.Unusable("is no module", "sign a .wasm or .wat file")
    digest = hashlib.sha256(files.read(file, abi.LIMITS["module"].cap))
    target = file.with_name(file.name + signature.SUFFIX)
    _write(target, key.sign(digest.digest()))
    return {"file": str(file), "sha256": digest.hexdigest(), "signature_file": str(target)}


@trust_app.command("verify")
def rules_verify(
    path: Annotated[Path | None, typer.Argument(help="A module or a folder; the plugins folder by default.")] = None,
    public_key: PublicKeys = None,
    config: Config = None,
    plugins: Plugins = None,
    as_json: Json = False,
) -> None:
    """Whether each module is locked or signed: by whom, or what is wrong. Exit 1 if something is."""
    from core.generation import policy_of
    from wasm_host import audit, files

    if path is None or not public_key:
        settings = load_config(config, plugins).settings
        path = path or settings.plugins.dir or Path()
    policy = policy_of_keys(public_key) if public_key else policy_of(settings)
    try:
        found = audit.audit(path, policy)
    except files.Unusable as exc:
        refuse_with(f"{path}: {exc.message} ({exc.hint})")
    wrong = [standing for standing in found if standing.problem]
    if as_json:
        print_json({"ok": not wrong, "files": found})
    else:
        print("\n".join(map(str, found)) or f"{path}: no modules")
    raise typer.Exit(EXIT_FAILURE if wrong else 0)


def _write(path: Path, data: bytes) -> None:
    from wasm_host import files

    try:
        files.write(path, data)
    except OSError as exc:
        raise files.Unusable(f"{path.name} cannot be written: {exc.strerror}", "check the folder") from None
