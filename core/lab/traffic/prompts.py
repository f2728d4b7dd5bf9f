"""What people ask: prompts of a few words and of many, in several languages, with and without a wish for a model.

A prompt that names a concept names one of the bundled taxonomy (`taxonomy/routing_scenarios/`). Placeholders are the
writer's (`writer`).
"""

from random import Random
from typing import Final

from msgspec import Struct

from core.lab.traffic.mix import Mix
from core.lab.traffic.writer import Writer

#: Most of what people ask of an agent: work, and no word about who should do it.
_WORK: Final = (
    "Why does {id} fail when the {n} is {q}? Look into it.",
    "{id} in {path} returns the wrong {n}. Find out why, and mend it.",
    "Add a test that shows what happens to the {n} {l} the {n} is {q}.",
    "Rename {id} to {id} everywhere, tests and documentation as well.",
    "The {n} takes {num} ms since yesterday. What has changed in {path}?",
    "Write a small script that reads the {q} {n}s and prints each {n} once.",
    "Extract what {path} does with the {n} into a function of its own.",
    "Explain to me how the {n} gets from {path} to the {n}.",
    "The build is red: `{path}:{num}: error: {a} is {q}`. Make it green again.",
    "Please turn the {n} into a dataclass, and keep its {n} {q}.",
    "Is it safe to {v} the {n} while another {n} is {q}?",
    "Compare {path} with {path}, and tell me which of the two is {q}.",
    "Move the {n} out of {path}; nothing else should know of it.",
    "Raise the timeout of the {n} to {num} s, and log it when it is reached.",
    "Two users see each other's {n}s. Find out how, before anything else.",
    "Warum bleibt der {n} stehen, wenn {id} einen leeren Wert liefert? Bitte behebe das.",
    "Schreib einen Test für {id} in {path}, der den Fehler von gestern zeigt.",
    "Benenne {id} um und passe alle Aufrufe an, auch die in {path}.",
    "Pourquoi {id} renvoie-t-il {num} au lieu de zéro ? Corrige-le, s'il te plaît.",
    "Ajoute une option à {path} pour choisir le nombre maximal de lignes.",
    "¿Por qué falla {id} cuando la lista está vacía? Arréglalo y añade una prueba.",
    "Explica qué hace {path} y dónde se usa {id}.",
    "Perché {id} viene chiamato due volte? Controlla {path}.",
    "{id} が {num} 回呼ばれる理由を調べて、直してください。",
    "{path} のテストを追加してください。",
    "请检查 {path} 里的 {id}，为什么它返回空值？",
    "把 {id} 拆成两个函数，并补上测试。",
    "Почему {id} возвращает пустой список? Исправь это в {path}.",
    "{path}의 {id} 함수가 느린 이유를 찾아 주세요.",
)
#: What a conversation goes on with.
_SHORT: Final = (
    "Go ahead.", "Yes.", "Continue.", "Looks good, commit it.", "No, the other one.", "And the tests?", "Try again.",
    "Still red.", "Undo that.", "ok", "weiter", "Oui, vas-y.", "sí, adelante", "好的，继续", "はい、お願いします",
)  # fmt: skip
#: A wish, and the concept that it names.
_WISHES: Final = (
    ("Plan before you code, please.", "plan_mode"),
    ("Make a detailed plan first.", "plan_mode"),
    ("Think step by step.", "think_step_by_step"),
    ("Denke Schritt für Schritt.", "think_step_by_step"),
    ("Piensa paso a paso.", "think_step_by_step"),
    ("I need a second opinion on this.", "get_a_second_opinion"),
    ("Ask a different model what it makes of it.", "get_a_second_opinion"),
    ("Just a quick answer, please.", "quick_answer_please"),
    ("Keep it cheap.", "use_the_cheapest_model"),
    ("A cheap model will do.", "use_the_cheapest_model"),
    ("No rush on this.", "low_priority_job"),
    ("Keep this on my machine, it is a customer's.", "local_model_only"),
    ("Do a thorough code review of it.", "thorough_code_review"),
    ("Use the strongest model, this has to be right.", "use_the_strongest_model"),
    ("Switch to opus for this.", "use_opus"),
    ("Use Sonnet again.", "use_sonnet"),
    ("Ask gemini.", "use_gemini"),
    ("Use DeepSeek for the port.", "use_deepseek"),
    ("Let GPT do that.", "use_gpt"),
    ("Use a free model.", "use_a_free_model"),
)
#: Words of the taxonomy that wish for nothing: in names, in questions, in what others do, in the negative.
_DECOYS: Final = (
    "Rename `use_opus_for_planning` to `planner` in {path}.",
    "`switch_to_gemini()` raises {num} times a day. Catch it.",
    "Do not use gemini in the examples of {path}, its {n} is gone.",
    "Should we switch to openrouter one day? Only tell me what would have to change in {path}.",
    "The test `test_keep_it_cheaply` is {q}. Why?",
    "Our users use claude and complain about the {n}. Improve the message in {path}.",
    "`thinking_step` is never read; drop it, and `plan_modes` with it.",
    "```python\nOPINIONS = [\"second\", \"third\"]\nmodel = pick(OPINIONS)\n```\nWhy is the {n} of this {q}?",
    "Where in {path} is the opus decoder, and does it {v} the {n}?",
)  # fmt: skip
_LOOKS: Final = (
    "The page looks like this now. Move the {n} below the {n}.",
    "Here is what I see. Why is the {n} {q}?",
    "Build the form that is drawn here, in {path}.",
    "This is the graph of last night. When did the {n} become {q}?",
)


class Prompt(Struct, frozen=True, kw_only=True):
    """What a human says, and what comes of it: `calls` rounds of tools, a subagent, a search; `pasted` characters below
    the words. `concept` is the one of the bundled taxonomy that the words name.
    """

    text: str
    concept: str = ""
    pause_ms: int = 60_000
    calls: int = 0
    pasted: int = 0
    image: bool = False
    plan: bool = False
    subagent: bool = False
    search: bool = False
    aside: bool = False


def drawn(random: Random, mix: Mix, write: Writer, *, first: bool) -> Prompt:
    """The next prompt of a coding agent's user. `first`: of a session."""
    text, concept = words(random, mix, write, first=first)
    image = random.random() < mix.images
    if image:
        text, concept = write.fill(random.choice(_LOOKS)), ""
    long = random.random() < mix.long_pastes
    return Prompt(
        text=text,
        concept=concept,
        pause_ms=_pause(random, mix),
        calls=0 if long else random.randrange(mix.most_calls + 1),
        pasted=mix.long_chars if long else random.randrange(400, 4_000) if random.random() < mix.pastes else 0,
        image=image,
        plan=random.random() < mix.plans,
        subagent=random.random() < mix.subagents,
        search=random.random() < mix.searches,
        aside=random.random() < mix.asides,
    )


def words(random: Random, mix: Mix, write: Writer, *, first: bool) -> tuple[str, str]:
    """What somebody asks, and the concept that it names, or none."""
    drawn = random.random()
    if not first and drawn < mix.short:
        return random.choice(_SHORT), ""
    if random.random() < mix.decoys:
        return write.fill(random.choice(_DECOYS)), ""
    work = write.fill(random.choice(_WORK))
    if random.random() >= mix.wishes:
        return work, ""
    wish, concept = random.choice(_WISHES)
    return (f"{wish} {work}" if random.random() < 0.3 else f"{work} {wish}"), concept


def _pause(random: Random, mix: Mix) -> int:
    """Milliseconds until somebody has read the answer, and now and then until they are back from somewhere."""
    if random.random() < mix.absences:
        return random.randrange(400_000, 3_600_000)
    return random.randrange(8_000, 120_000)
