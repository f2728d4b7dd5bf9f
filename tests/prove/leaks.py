"""Promise: what a rule that saw the prompt says of it reaches no header, no log line, no metric, and no error."""

import random
import string
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from prove import guests
from prove.scene import Scene, body, outcomes, scene, wait
from prove.section import Section

#: Neighbouring characters of the prompt that give it away.
GRAM: Final = 8
#: Ways to say something: before and after the prompt's first 64 characters, in an answer.
WAYS: Final = {
    "reason_of_a_route": ('{"route":"a,b","reason":"', '"}'),
    "reason_of_an_abstention": ('{"abstain":true,"reason":"', '"}'),
    "reason_over_its_length": ('{"abstain":true,"reason":"' + "x" * 40, '"}'),
    "value_of_a_tag": ('{"route":"a,b","tags":{"team":"', '"}}'),
    "name_of_a_tag": ('{"route":"a,b","tags":{"', '":"a"}}'),
    "code_of_an_error": ('{"error":{"code":"', '","message":"m"}}'),
    "message_of_an_error": ('{"error":{"code":"c","message":"', '"}}'),
    "message_of_a_denial": ('{"deny":{"status":403,"message":"', '"}}'),
    "status_of_a_denial": ('{"deny":{"status":"', '","message":"m"}}'),
    "target_of_a_route": ('{"route":"', '"}'),
    "score": ('{"route":"a,b","score":"', '"}'),
    "unknown_key": ('{"', '":1}'),
    "not_json": ("", ""),
}
#: What a rule without any grant may tell a client.
WORDS: Final = "come back after lunch"


def section(folder: Path) -> Section:
    """All ways, one after the other, each with a prompt of its own."""
    rules = "".join(
        f'[rules.{name}]\ngrant = ["request.last_user"]\nallow_deny = true\ntags = {{ team = ["a"] }}\n'
        for name in WAYS
    )
    found = Section(f"{len(WAYS)} ways to say the prompt")
    with scene(folder, config=f"{rules}[rules.honest]\nallow_deny = true\n") as running:
        for number, (name, (before, after)) in enumerate(WAYS.items()):
            running.loaded(f"{name}.wat", guests.speaking(before, after))
            found.findings += _say(running, name, secret(number))
        said = outcomes(running.metrics())
        found.counts = {name: ", ".join(said.get(name, {"was never asked": 0})) for name in WAYS}
        found.findings += [f"{name}: was never asked" for name in WAYS if name not in said]
        found.findings += _a_denial_without_grants(running)
        found.findings += running.whole()
    return found


def secret(number: int) -> str:
    """A prompt that is also a legal code, so that nothing but the host's care keeps it in."""
    rng = random.Random(number)  # noqa: S311 - reproducible on purpose
    return "".join(rng.choices(string.ascii_lowercase, k=200))


def grams(text: str) -> set[str]:
    """All runs of `GRAM` characters."""
    return {text[at : at + GRAM] for at in range(len(text) - GRAM + 1)}


def leaked(prompt: str, text: str) -> str:
    """The first run of the prompt that is in `text`, or nothing."""
    return next((text[at : at + GRAM] for at in range(len(text)) if text[at : at + GRAM] in grams(prompt)), "")


def _say(running: Scene, name: str, prompt: str) -> Iterator[str]:
    request = body(text=prompt)
    explained = running.explain(request)
    headers, answer = running.head_and_body(request)
    identifier = headers["x-terraphim-request-id"]
    wait(lambda: identifier in running.log(), f"no log line for {identifier}")
    places = {"a header": str(headers), "the log": running.log(), "the metrics": running.metrics()}
    if "denial" in name:
        places["the answer"] = answer
    for place, text in places.items():
        if run := leaked(prompt, text):
            yield f"{name}: {place} holds {run!r} of the prompt"
    if name == "reason_of_a_route" and not leaked(prompt, str(explained["trace"])):
        yield f"{name}: the rule did not say the prompt, so this shows nothing"


def _a_denial_without_grants(running: Scene) -> Iterator[str]:
    """The other side: a rule that saw no text may speak to the client."""
    running.loaded("honest.wat", guests.always(f'{{"deny":{{"status":403,"message":"{WORDS}"}}}}'))
    _, answer = running.head_and_body(body())
    if WORDS not in answer:
        yield f"a rule without grants denied with {WORDS!r}, the client read {answer[:200]!r}"
