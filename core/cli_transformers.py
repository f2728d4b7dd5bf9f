"""`terraphim-proxy transformers`: the table, for people and programs."""

from typing import Any

import msgspec

from core.transformers import TRANSFORMERS, Transformer


def rows() -> list[dict[str, Any]]:
    """One a transformer, in the table's order; `options` are name to type, with the default where there is one."""
    return [
        {
            "name": transformer.name,
            "sides": list(transformer.sides),
            "dialects": list(transformer.dialects),
            "options": _options(transformer),
            "about": transformer.about,
        }
        for transformer in TRANSFORMERS.values()
    ]


def _options(transformer: Transformer) -> dict[str, str]:
    if transformer.options is None:
        return {"*": "any member of the body"}
    schema = msgspec.json.schema(transformer.options)["$defs"][transformer.options.__name__]
    return {name: _type(option) for name, option in schema["properties"].items()}


def _type(option: dict[str, Any]) -> str:
    """A JSON schema's type in words: `integer`, `string or null`, `"auto" | "detailed"`."""
    if "anyOf" in option:
        kinds = " or ".join(_type(each) for each in option["anyOf"] if each != {"type": "null"})
    elif "enum" in option:
        kinds = " | ".join(f'"{each}"' for each in option["enum"] if each is not None)
    else:
        kinds = option["type"]
    default = option.get("default")
    return kinds + (f", default {msgspec.json.encode(default).decode()}" if default not in {None, ""} else "")


def text(table: list[dict[str, Any]]) -> str:
    """The same as lines."""
    lines = []
    for row in table:
        lines.append(f"{row['name']:<20} {', '.join(row['sides']) or '-':<17} {row['about']}")
        lines += [f"{'':<20} {'':<17}   {name}: {kind}" for name, kind in row["options"].items()]
    return "\n".join(lines)
