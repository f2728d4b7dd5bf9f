"""The transformers of one target: parsed from the configuration, run in the order given.

An entry is a name, or a table with a `name` and options. The provider's entries come first, then the model's; an entry
that a model lists again takes the place of its provider's.
"""

import difflib
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import msgspec

from core.dialects.base import Change
from core.exchange import Candidate
from core.transformers.base import Facts, Options, Transformer
from core.transformers.body import Body


class Use(NamedTuple):
    """A transformer with the options that it was listed with."""

    transformer: Transformer
    options: Any


class Chain(NamedTuple):
    """What is done for one target."""

    uses: tuple[Use, ...] = ()

    def fitted(self, candidate: Candidate) -> Candidate:
        """The candidate with the members beyond the dialect's own that its encoder may write."""
        kept = [use.transformer.keeps(candidate.target.model) for use in self.uses]
        return msgspec.structs.replace(candidate, extensions=frozenset().union(*kept)) if any(kept) else candidate

    def body(self, data: bytes, facts: Facts) -> bytes:
        """The provider's body after all of them."""
        body = Body(data)
        for transformer, options in self.uses:
            if transformer.request:
                transformer.request(body, options, facts)
        return body.to_bytes()

    def changes(self, facts: Facts) -> list[Change]:
        """Fresh ones for one answer, in order."""
        made = (use.transformer.answer(use.options, facts) for use in self.uses if use.transformer.answer)
        return [change for change in made if change is not None]

    def headers(self, headers: dict[str, str]) -> dict[str, str]:
        """The provider's headers after all of them."""
        for transformer, options in self.uses:
            if transformer.headers:
                headers = transformer.headers(headers, options)
        return headers


def parse(entry: object, known: Mapping[str, Transformer]) -> Use:
    """One entry of a `transformers` list. ValueError says what is wrong with it and what would be right."""
    options: dict[str, Any] = {}
    if isinstance(entry, Mapping):
        options = dict(entry)
        entry = options.pop("name", None)
    if not isinstance(entry, str):
        raise ValueError('a transformer is a name, or a table with one: { name = "maxtoken", max_tokens = 8192 }')
    if entry not in known:
        raise ValueError(f"unknown transformer {entry!r}; {_closest(entry, known)}")
    transformer = known[entry]
    return Use(transformer, _options(transformer, options))


def _options(transformer: Transformer, given: dict[str, Any]) -> Any:
    type = transformer.options
    if type is None:
        if not given:
            raise ValueError(f"{transformer.name}: give the members that it adds, e.g. top_k = 20")
        return given
    for name in given:
        if name not in type.__struct_fields__:
            raise ValueError(f"{transformer.name}: unknown option {name!r}; {_closest(name, type.__struct_fields__)}")
    return _converted(transformer.name, type, given)


def _converted(name: str, type: type[Options], given: dict[str, Any]) -> Options:
    try:
        return msgspec.convert(given, type)
    except msgspec.ValidationError as exc:
        why, _, where = str(exc).partition(" - at `$.")
        why = why.replace("Object missing required field", "missing option")
        said = ": ".join(filter(None, (name, where, why)))
        raise ValueError(said.replace("`", "")) from None


def _closest(name: str, known: Iterable[str]) -> str:
    known = list(known)
    close = difflib.get_close_matches(name, known, n=2, cutoff=0.5)
    if close:
        return f"did you mean {' or '.join(map(repr, close))}?"
    return f"known: {', '.join(known)}" if known else "it has none"


def misplaced(use: Use, dialect: str) -> str:
    """Why a transformer means nothing on a provider of this dialect; empty if it does mean something."""
    transformer, options = use
    if dialect not in transformer.dialects:
        return f"{transformer.name}: is for the dialects {', '.join(transformer.dialects)}, and this one is {dialect}"
    return transformer.wrong(options, dialect) if transformer.wrong else ""


def joined(provider: Iterable[Use], model: Iterable[Use]) -> Chain:
    """The provider's, without those that the model lists with other options, then the model's."""
    own = tuple(model)
    again = {use.transformer.name for use in own}
    return Chain((*(use for use in provider if use.transformer.name not in again), *own))
