"""`rules promote | rollback | enable | disable | status`: how far rules are rolled out.

What a move may be is in `rollout_plan`.
"""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from core import cli_complete
from core.cli_common import Config, Json, Plugins, Url, build_generation, load_config, print_json, refuse_with
from core.cli_rules_app import rules_app

if TYPE_CHECKING:
    from core.generation import Generation
    from core.schema import ServerSettings
    from wasm_host.rule import Rule

Name = Annotated[str, typer.Argument(help="The rule.", autocompletion=cli_complete.rules)]
Share = Annotated[str, typer.Option(help="Per cent of the sessions, like 10%.")]
Why = Annotated[str, typer.Option(help="A reason, for whoever reads the history.")]


@rules_app.command("promote")
def rules_promote(
    name: Name,
    *,
    to: Annotated[str, typer.Option(help="canary (with --share) or enforce; the next step without it.")] = "",
    share: Share = "",
    why: Why = "",
    config: Config = None,
    plugins: Plugins = None,
    as_json: Json = False,
) -> None:
    """Let a rule decide for more sessions: its module, as it is now. Running proxies take it up at once."""
    _among("promote", to)
    _move(build_generation(load_config(config, plugins)), name, ("promote", to, share, why), as_json=as_json)


@rules_app.command("rollback")
def rules_rollback(
    name: Name,
    *,
    to: Annotated[str, typer.Option(help="shadow, canary (with --share), or configured: as it is configured.")] = "",
    share: Share = "",
    why: Why = "",
    config: Config = None,
    plugins: Plugins = None,
    as_json: Json = False,
) -> None:
    """Let a rule decide for nobody, or for fewer sessions; or give its stage back to the configuration."""
    _among("rollback", to)
    _move(build_generation(load_config(config, plugins)), name, ("rollback", to, share, why), as_json=as_json)


@rules_app.command("disable")
def rules_disable(
    name: Name, *, why: Why = "", config: Config = None, plugins: Plugins = None, as_json: Json = False
) -> None:
    """Ask a rule no more, whatever its module is, until it is enabled. Running proxies take it up at once."""
    _move(build_generation(load_config(config, plugins)), name, ("disable", "", "", why), as_json=as_json)


@rules_app.command("enable")
def rules_enable(
    name: Name, *, why: Why = "", config: Config = None, plugins: Plugins = None, as_json: Json = False
) -> None:
    """Ask a rule again that was disabled: it is back at the stage where it was."""
    _move(build_generation(load_config(config, plugins)), name, ("enable", "", "", why), as_json=as_json)


@rules_app.command("status")
def rules_status(
    name: Annotated[
        str, typer.Argument(help="One rule, with its history; all without it.", autocompletion=cli_complete.rules)
    ] = "",
    url: Url = "",
    config: Config = None,
    plugins: Plugins = None,
    as_json: Json = False,
) -> None:
    """Where rules are between shadow and everybody, and how they do there as the running proxy counts."""
    from core.rollout_plan import status

    generation = build_generation(load_config(config, plugins))
    rules = [_rule(generation, name)] if name else list(generation.files.rules)
    where, live, problem = _figures(url, generation.loaded.settings.server)
    rows = [status(generation, rule, live) for rule in rules]
    notes = [str(each) for each in generation.snapshot.problems if each.path.endswith("rollout.toml")]
    if live is None:
        notes.append(f"no proxy tells how they do: {where}: {problem}")
    if as_json:
        print_json({"rules": rows, "notes": notes})
        return
    for row in rows:
        print("\n".join(_lines(row, whole=bool(name))))
    for note in notes:
        print(f"note: {note}")


def _among(action: str, to: str) -> None:
    from core.rollout_plan import GOALS

    if to and to not in GOALS[action]:
        raise typer.BadParameter(f"{to!r} is none of {', '.join(GOALS[action])}", param_hint="--to")


def _rule(generation: "Generation", name: str) -> "Rule":
    """The rule of this name, or exit 1 with the closest."""
    from core.rule_moves import NoSuchRule, rule_of

    try:
        return rule_of(generation, name)
    except NoSuchRule as exc:
        refuse_with(str(exc))


def _move(generation: "Generation", name: str, asked: tuple[str, str, str, str], *, as_json: bool) -> None:
    from core import rule_moves
    from core.rollout_plan import Refused, unguarded

    rule, (action, to, share, why) = _rule(generation, name), asked
    try:
        move = rule_moves.move(generation, rule, rule_moves.Asked(action, _who(), to, share, why))
    except Refused as exc:
        refuse_with(str(exc))
    if as_json:
        print_json(move)
        return
    print(f"{name}: {move.came_from} → {move.to} (module {move.module[:12]}, {rule_moves.file_of(generation).path})")
    if note := unguarded(rule, action):
        print(f"note: {note}")


def _who() -> str:
    """The user's name, as the system has it."""
    import os
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # in a container, perhaps
        return f"uid {os.getuid()}"


def _figures(url: str, server: "ServerSettings") -> tuple[str, dict[str, Any] | None, str]:
    """Where the proxy is and what it counts by rule; None, and why, if none tells."""
    from core.cli_proxy import NoProxyError, health, listening_at, parse

    try:
        address = parse(url) if url else listening_at(server.host, server.port)
        figures = health(address).get("rollouts", {})
    except ValueError as exc:
        return url, None, str(exc)
    except NoProxyError as exc:
        return address.url, None, str(exc)
    return address.url, figures if isinstance(figures, dict) else None, "no proxy of ours is there"


def _lines(row: dict[str, Any], *, whole: bool) -> list[str]:
    since = f" since {row['since']:%Y-%m-%d %H:%M}" if row["since"] else ""
    ahead = f", next {row['next']}" if row["next"] else ""
    held = ", held until somebody promotes it" if row["held"] else ""
    lines = [f"{row['name']}: {row['stage']}{since} (set by {row['set_by']}){ahead}{held}"]
    if figures := row["figures"]:
        faults = ", ".join(f"{code} {count}" for code, count in figures["faults"].items()) or "none"
        lines.append(
            f"  calls {figures['calls']}, would decide {figures['would_decide']}, in shadow {figures['in_shadow']}, "
            f"of these another target {figures['disagreed']}; faults {faults}"
        )
        fuel, micros = figures["fuel"], figures["micros"]
        lines.append(f"  fuel p50 {fuel['p50']} p99 {fuel['p99']}, µs p50 {micros['p50']} p99 {micros['p99']}")
    for move in row["history"] if whole else ():
        why = f": {move.why}" if move.why else ""
        lines.append(f"  {move.at:%Y-%m-%d %H:%M} {move.by} {move.came_from} → {move.to} ({move.module[:12]}){why}")
    return lines
