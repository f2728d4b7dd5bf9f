"""Text as coding agents send it: prose about code, and code. Made from a seed, so that every run has the same."""

from collections.abc import Iterator
from random import Random

_NOUNS = """account address agent archive array backlog balance batch branch bucket buffer build cache catalogue channel
chunk client clock cluster column commit config connection container context cookie counter cursor customer daemon
dashboard dataset deadline delivery digest directory document driver edge endpoint engine entry error event exporter
failure feature field file filter fixture folder frame function gateway graph group handler hash header hook host image
import index input instance interval invoice item iterator job journal kernel key label lane layer ledger library line
link list loader lock log loop manifest map matrix memory merge message metric migration mirror module monitor mutex
network node notice number object offset operator option order output package packet page parameter parser partition
patch path payload payment peer pipeline plan pointer policy pool port prefix printer process producer profile prompt
protocol proxy query queue quota range record region registry release replica report repository request resource
response result retry ring role rollback row rule runner sample scheduler schema scope script segment sender sequence
server service session shard signal slot snapshot socket source stack stage state statement step storage stream string
subscriber suffix switch symbol table tag target task template tenant test thread threshold ticket timeout timer token
topic trace transaction transfer tree trigger tuple type unit update upload user value vector version view volume
wallet warning watcher window worker wrapper writer zone""".split()  # noqa: SIM905
_VERBS = """accept add append apply assign attach balance batch bind block break build cache call check clean close
collect commit compare compile compute convert copy count create debug decode decrease delete deploy describe detach
disable drain drop enable encode evict expand expire export fail fetch filter find flush fold forward freeze gather
handle hash hide hold ignore import increase index infer insert inspect invoke join keep limit list load lock log map
mark measure merge migrate mock move mutate name notify observe open pack parse patch pause poll print process prune
publish pull push queue raise read rebuild record reduce refactor refresh register reject release reload remove rename
render repeat replace replay report reserve reset resolve restart restore resume retry return revert rotate route run
sample save scan schedule seal select send serve set share shift skip sort split start stop store stream strip submit
swap sync tag test throttle track transform trim unlock unpack update validate verify wait warm watch wrap
write""".split()  # noqa: SIM905
_QUALITIES = """atomic bare broken cheap clean cold constant correct current dead deep dense dirty early empty exact
expired explicit external failed fast final fixed flat fresh frozen full global hidden idle inner invalid large last
late lazy local long loose mutable narrow nested new noisy old open outer partial pending pinned plain private public
quiet random rare raw ready recent remote safe shallow shared sharp short signed silent slow small sorted sparse stale
static strict stuck sudden tight tiny total unique unsafe unused valid verbose visible wide""".split()  # noqa: SIM905
_LINKS = ("because", "although", "so that", "unless", "after", "before", "while", "whenever", "and then", "but")
_PROSE = (
    "The {q} {n} should {v} every {n} of the {q} {n}, {l} the {n} does not {v} it.",
    "I noticed that `{id}` will {v} the {n} {l} we {v} the {q} {n}.",
    "When the {n} is {q}, {id} in {path} does not {v} the {n}: it took {num} ms on my machine.",
    "Could you {v} the {n} {l} the {q} {n} of {path} stays {q}?",
    "We must not {v} a {q} {n} here, {l} {num} of the {n}s are {q} by now.",
    "There are {num} {q} {n}s, and each {n} has to {v} its own {n} {l} they {v}.",
    "First {v} the {n}, second {v} what is left of the {q} {n}, third {v} the {n} again.",
)
_CODE = (
    "def {id}({a}: {t}, {b}: {t} = {num}) -> {t}:",
    "    {a} = {id}({b}, {c}={num})  # {v} the {q} {n}",
    '    if {a} is None or len({b}) > {num}:\n        raise ValueError(f"{{{a}}} is {q}: cannot {v} the {n}")',
    "    for {a}, {b} in enumerate(self._{n}s[{num}:]):\n        {c} += {b}.{v}({a})",
    "    return {{{b!r}: {a}, {c!r}: [{num}, {num}]}}",
    "class {Id}({Id}):\n    {a}: dict[str, {t}] = field(default_factory=dict)",
    "export async function {id}({a}: {t}[]): Promise<{Id}> {{\n  const {b} = await {c}.{v}({num});",
    "  if (!{a}.{b}) {{ return {{ status: {num}, {c}: `{q} {n}` }}; }}",
    "fn {a}_{b}(&mut self, {c}: &[u8]) -> Result<{Id}, {Id}Error> {{",
    "        let mut {a} = Vec::with_capacity({num});\n        self.{b}.{v}(&{c})?;",
    "{path}:{num}: error: {a} has no member `{b}` [{c}-{v}]",
)


class Writer:
    """An endless writer of one seed's text."""

    def __init__(self, seed: int | str) -> None:
        self._random = Random(seed)  # noqa: S311 (texts, no secret)

    def prose(self, characters: int) -> str:
        """Sentences, in paragraphs, of this length or a little less."""
        return self._until(characters, self._sentences())

    def code(self, characters: int) -> str:
        """Lines of several languages and of their tools' output."""
        return self._until(characters, (self.fill(self._random.choice(_CODE)) + "\n" for _ in iter(int, 1)))

    def text(self, characters: int) -> str:
        """Prose and code by turns."""
        parts: list[str] = []
        while (room := characters - sum(map(len, parts))) > 200:
            parts += (self.prose(min(room // 2, 600)), "\n```\n", self.code(min(room // 2, 900)), "```\n")
        return "".join(parts)[:characters]

    def word(self) -> str:
        return self._random.choice(_NOUNS)

    def _sentences(self) -> Iterator[str]:
        while True:
            yield self.fill(self._random.choice(_PROSE))
            yield "\n\n" if self._random.random() < 0.15 else " "

    def _until(self, characters: int, parts: Iterator[str]) -> str:
        text: list[str] = []
        length = 0
        while length < characters:
            text.append(next(parts))
            length += len(text[-1])
        return "".join(text)[:characters]

    def fill(self, template: str) -> str:
        """A sentence or a line of code from its pattern."""
        return template.format_map(_Words(self._random))


class _Words(dict[str, object]):
    """What stands for a placeholder: variables (a, b, c) keep their name within a line, all else is new every time."""

    def __init__(self, random: Random) -> None:
        super().__init__({key: random.choice(_NOUNS) for key in "abc"})
        self._random = random

    def __missing__(self, key: str) -> object:
        pick = self._random.choice
        match key:
            case "id":
                return f"{pick(_VERBS)}_{pick(_NOUNS)}"
            case "Id":
                return f"{pick(_QUALITIES).title()}{pick(_NOUNS).title()}"
            case "path":
                return f"src/{pick(_NOUNS)}/{pick(_VERBS)}_{pick(_NOUNS)}.py"
            case "num":
                return self._random.randrange(pick((10, 100, 5000)))
        return pick(_KINDS[key])


_KINDS = {"n": _NOUNS, "v": _VERBS, "q": _QUALITIES, "l": _LINKS, "t": ("int", "str", "bytes", "bool", "Any")}
