"""Run by `bench.token_truth` with an interpreter of its own: chat bodies on stdin, their true token counts on stdout.

The argument is a folder with `tokenizer.json` and `tokenizer_config.json`, whose template is Hugging Face's dialect of
Jinja ("Chat templates"): `raise_exception`, `strftime_now`, `tojson` without escapes.
"""

import json
import sys
from pathlib import Path
from typing import Any


def main(folder: Path) -> None:
    from jinja2.sandbox import ImmutableSandboxedEnvironment  # noqa: PLC0415 (not of this project's environment)
    from tokenizers import Tokenizer  # noqa: PLC0415

    config = json.loads((folder / "tokenizer_config.json").read_text("utf-8"))
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
    )
    environment.filters["tojson"] = lambda value, **options: json.dumps(value, ensure_ascii=False, **options)
    environment.globals |= {"raise_exception": refuse, "strftime_now": lambda form: form}
    template = environment.from_string(config["chat_template"])
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    counts = []
    for body in json.load(sys.stdin):
        text = template.render(
            messages=[message(each) for each in body["messages"]], tools=body.get("tools"), add_generation_prompt=True,
            bos_token=special(config.get("bos_token")), eos_token=special(config.get("eos_token")),
        )  # fmt: skip
        counts.append(len(tokenizer.encode(text, add_special_tokens=False).ids))
    json.dump(counts, sys.stdout)


def message(sent: dict[str, Any]) -> dict[str, Any]:
    """Templates want a call's arguments as an object."""
    calls = sent.get("tool_calls")
    if not calls:
        return sent
    read = [
        {**call, "function": {**call["function"], "arguments": json.loads(call["function"]["arguments"])}}
        for call in calls
    ]
    return {**sent, "content": sent.get("content") or "", "tool_calls": read}


def special(token: str | dict[str, str] | None) -> str:
    """A special token, written in either of the two ways."""
    return token["content"] if isinstance(token, dict) else token or ""


def refuse(message: str) -> None:
    """What a template does with a conversation that its model does not take."""
    raise ValueError(message)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
