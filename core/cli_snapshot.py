"""`snapshot`, with `save`, `diff` and `list`: what decides now, and what did."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core import cli_complete
from core.cli_common import Config, Json, Plugins, Taxonomy, load_config, print_json, refuse_with

if TYPE_CHECKING:
    from core.generation import Generation
    from core.routing.snapshot import Snapshot
    from core.settings import Loaded
    from core.snapshot_entry import Entry
    from core.snapshots import SnapshotStore

snapshot_app = typer.Typer(
    invoke_without_command=True, help="The snapshot: all that decides where requests go, under one id."
)
Reference = Annotated[
    str,
    typer.Argument(help="A saved snapshot: the beginning of its id, or ID.KEY.", autocompletion=cli_complete.snapshots),
]


def store() -> "SnapshotStore":
    """Where this user's snapshots are."""
    from core import settings, snapshots

    env = settings.environ()
    return snapshots.SnapshotStore(settings.state_dir(env) / snapshots.NAME, settings.cache_dir(env))


def generation_of(loaded: "Loaded", kept: "SnapshotStore") -> "Generation":
    """The generation, its rules' files kept so that it can be saved."""
    from functools import partial

    from core import settings
    from core.generation import load_generation
    from core.recording import snapshots_of

    kept.needed = partial(snapshots_of, loaded.settings.records, kept.folder.parent)
    return load_generation(loaded, settings.cache_dir(settings.environ()), keep=partial(kept.keep, loaded))


@snapshot_app.callback()
def show(
    context: typer.Context,
    config: Config = None,
    plugins: Plugins = None,
    taxonomy: Taxonomy = None,
    as_json: Json = False,
) -> None:
    """The id of the configuration as it is in the files now, recomputed here, and the ids of its parts."""
    if context.invoked_subcommand is not None:
        return
    from core.cli_common import build_generation

    shot = build_generation(load_config(config, plugins, taxonomy)).snapshot
    if as_json:
        print_json({"id": shot.id, "digest": shot.digest, "parts": dict(shot.parts)})
    else:
        print(shot.id)
        for name, digest in shot.parts.items():
            print(f"  {name:<12}  {digest if ' ' in digest else digest[:12]}")


@snapshot_app.command("save")
def save(
    config: Config = None,
    plugins: Plugins = None,
    taxonomy: Taxonomy = None,
    note: Annotated[str, typer.Option(help="Words to find it by.")] = "",
    as_json: Json = False,
) -> None:
    """Save the configuration, rules and taxonomy as they are in the files now."""
    from core.snapshots import SnapshotError

    kept, loaded = store(), load_config(config, plugins, taxonomy)
    try:
        entry = kept.save(generation_of(loaded, kept), note=note, most=loaded.settings.records.keep_snapshots)
    except SnapshotError as exc:
        refuse_with(str(exc))
    if as_json:
        print_json({"id": entry.id, "name": entry.name, "digest": entry.digest})
    else:
        print(f"saved {entry.name}")
        if entry.withheld:
            print(f"  without the configuration file: {entry.withheld}")


@snapshot_app.command("diff")
def diff(
    old: Reference,
    new: Annotated[str, typer.Argument(help="Another one; what is in the files now without it.")] = "",
    *,
    config: Config = None,
    plugins: Plugins = None,
    taxonomy: Taxonomy = None,
    as_json: Json = False,
) -> None:
    """What differs from one snapshot to another: settings, concepts, rules, and what of it waits for a restart."""
    from core import snapshot_diff
    from core.cli_common import build_generation
    from core.snapshots import SnapshotError

    try:
        before = store().load(old)
        after: Snapshot = (
            store().load(new) if new else build_generation(load_config(config, plugins, taxonomy)).snapshot
        )
    except SnapshotError as exc:
        refuse_with(str(exc))
    found = snapshot_diff.difference(before, after)
    if as_json:
        print_json(found)
    else:
        print("\n".join(snapshot_diff.lines(found)))


@snapshot_app.command("list")
def list_saved(as_json: Json = False) -> None:
    """The saved snapshots, the last one that served first."""
    from core.snapshot_saving import serving

    kept = store()
    by_name: dict[str, list[int]] = {}
    for process, name in serving(kept.folder).items():
        by_name.setdefault(name, []).append(process)
    rows = [_row(kept, entry, by_name.get(entry.name, [])) for entry in kept.list()]
    if as_json:
        print_json(rows)
        return
    for row in rows:
        print(_line(row))
    print(f"{len(rows)} saved in {kept.folder}")


def _row(kept: "SnapshotStore", entry: "Entry", processes: list[int]) -> dict[str, Any]:
    return {
        "id": entry.id,
        "name": entry.name,
        "digest": entry.digest,
        "config": entry.config_path,
        "note": entry.note,
        "saved": _time(entry.saved_ms),
        "first_served": _time(entry.served_ms),
        "last_served": _time(entry.last_ms),
        "by_hand": entry.by_hand,
        "bytes": kept.size(entry),
        "serving": processes,
    }


def _time(ms: int) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="seconds") if ms else ""


def _line(row: dict[str, Any]) -> str:
    when = f"served {row['last_served']}" if row["last_served"] else f"saved {row['saved']}"
    told = [row["name"], when, f"{row['bytes'] / 1024:.0f} KiB"]
    told += [f"serves now (process {', '.join(map(str, row['serving']))})"] if row["serving"] else []
    told += ["by hand"] if row["by_hand"] else []
    return "  ".join([*told, row["note"] or str(Path(row["config"]).name or "without a configuration")])
