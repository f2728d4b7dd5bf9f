"""`config rollback`: the files as they were in a saved snapshot."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from core import cli_complete
from core.cli_common import EXIT_FAILURE, Config, Plugins, Taxonomy, refuse_with
from core.cli_snapshot import generation_of, store

if TYPE_CHECKING:
    from core.generation import Generation
    from core.rollback import Step
    from core.settings import Loaded
    from core.snapshot_entry import Entry
    from core.snapshots import SnapshotStore


def config_rollback(
    snapshot: Annotated[
        str,
        typer.Argument(
            help="Which one (ID or ID.KEY); the one that served before.", autocompletion=cli_complete.snapshots
        ),
    ] = "",
    *,
    config: Config = None,
    plugins: Plugins = None,
    taxonomy: Taxonomy = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Put configuration, taxonomy and rules back as they were; saves first what there is now."""
    from core import rollback
    from core.errors import ConfigError
    from core.snapshots import SnapshotError

    kept = store()
    try:
        path = _config(config)
        present, saved = _present(kept, path, plugins, taxonomy)
        entry = kept.find(snapshot) if snapshot else rollback.before(kept, path, saved)
        steps = rollback.plan(kept, entry, path, saved.objects if saved else frozenset())
        if not steps:
            print(f"the files are those of {entry.name} already")
            return
        _show(kept, entry, present, steps)
        if not (yes or typer.confirm("Put these files back?")):
            raise typer.Exit(EXIT_FAILURE)
        rollback.carry_out(kept.folder, entry.name, steps)
        _verify(entry, _load(path, plugins, taxonomy), kept)
    except (SnapshotError, OSError) as exc:
        refuse_with(str(exc))
    except ConfigError as exc:
        print(f"error: the files are back, and cannot be used: {exc}", file=sys.stderr)
        raise typer.Exit(EXIT_FAILURE) from None


def _config(config: Path | None) -> Path:
    from core import settings
    from core.snapshots import SnapshotError

    path = settings.config_path(config, settings.environ())
    if path is None:
        raise SnapshotError("there is no configuration file that could be put back: say --config FILE")
    return path


def _load(path: Path, plugins: Path | None, taxonomy: Path | None) -> "Loaded":
    from core import settings

    return settings.load(path, settings.environ(), plugins=plugins, taxonomy=taxonomy)


def _present(
    kept: "SnapshotStore", path: Path, plugins: Path | None, taxonomy: Path | None
) -> "tuple[Generation | None, Entry | None]":
    """What is there now, and where it is saved; nothing of a configuration that cannot be used."""
    from core.errors import ConfigError

    try:
        generation = generation_of(_load(path, plugins, taxonomy), kept)
    except ConfigError as exc:
        print(f"the present configuration cannot be used ({exc.problems[0]}), and is kept aside", file=sys.stderr)
        return None, None
    return generation, kept.save(generation, most=generation.loaded.settings.records.keep_snapshots)


def _show(kept: "SnapshotStore", entry: "Entry", present: "Generation | None", steps: "list[Step]") -> None:
    from core import snapshot_diff
    from core.snapshots import SnapshotError

    if present is not None:
        try:
            found = snapshot_diff.difference(present.snapshot, kept.load(entry.name))
            print("\n".join(snapshot_diff.lines(found)))
        except SnapshotError as exc:
            print(f"what differs cannot be shown: {exc}")
    for step in steps:
        print(step)


def _verify(entry: "Entry", loaded: "Loaded", kept: "SnapshotStore") -> None:
    """Whether the files make the snapshot that was meant, and what else had a part in it."""
    from core import settings

    shot = generation_of(loaded, kept).snapshot
    if shot.digest == entry.digest:
        print(f"{entry.name} is back")
        return
    parts = [name for name, digest in entry.parts.items() if shot.parts.get(name) != digest]
    print(f"the files are those of {entry.name}, and make snapshot {shot.id}: {', '.join(parts)} differ")
    if names := sorted(name for name in settings.environ() if name.startswith("TERRAPHIM_")):
        print(f"  set in the environment now: {', '.join(names)}")
    if "settings" in parts:
        print("  settings also come from the environment, the command line, presets and moves of `rules promote`")
    if "code" in parts:
        print(f"  it was saved by {entry.parts['code']}, this is {shot.parts['code']}")
    raise typer.Exit(EXIT_FAILURE)
