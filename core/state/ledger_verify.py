"""Whether a ledger is what was written: each chain, and what files' headers and kept heads say of other files.

Whoever can write to the folder can also write a chain anew, from any record to its end: that is seen only by who knows
a later head, be it the header of a file that was begun afterwards, or somebody who kept one (`records head`).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from msgspec import Struct

from core.state import ledger_body
from core.state.ledger_file import File, Header, Missing, Row, Witness, decode_header, files, name_of
from core.state.sqlite import Unusable

#: So many records before and behind one that is out of place are looked at for the place where it belongs.
AROUND: Final = 64
WRONG_HASH: Final = "its hash was changed"
#: Before all numbers.
FIRST: Final = -(2**63)


class Fault(Struct, frozen=True):
    """What is wrong, and where: `number` and `request_id` are of the record, 0 and empty if it is the whole file."""

    file: str
    writer: str
    number: int
    request_id: str
    problem: str

    def __str__(self) -> str:
        place = f"{self.file}, record {self.number} ({self.request_id})" if self.number else self.file
        return f"{place}: {self.problem}"


class Report(Struct):
    """`heads` is how far each file goes that can be read; `partial` counts records that stand behind a gap which an
    export is allowed to have: nothing says what they follow.
    """

    records: int = 0
    partial: int = 0
    heads: list[Witness] = []
    faults: list[Fault] = []
    #: Files that are no longer there, and of which a header says that they were deleted because of age or size.
    removed: list[str] = []


def verify(folder: Path, kept: Sequence[Witness] = (), *, partial: bool = False) -> Report:
    """Look at every record; `kept` are heads that somebody kept. `partial`: an export without all records."""
    report, headers = Report(), dict[str, Header]()
    paths = {path.stem: path for path in files(folder)}
    for stem, path in paths.items():
        try:
            with File(path) as file:
                headers[stem] = _file(report, file, partial=partial)
        except Missing:
            continue
        except (Unusable, ValueError) as exc:
            report.faults.append(_of_file(stem, f"it cannot be read: {exc}"))
    said = [(f"the header of {stem}", witness) for stem, header in headers.items() for witness in header.before]
    removed = {witness.file for header in headers.values() for witness in header.removed}
    # Files are deleted in the order in which they were begun, and the oldest that is left says who went before it.
    removed |= {witness.file for witness in kept if headers and witness.file < min(headers)}
    wrong = dict[str, Fault]()
    for who, witness in [*said, *(("the head that was kept", witness) for witness in kept)]:
        stem = witness.file
        if stem in paths:
            problem = _witnessed(paths[stem], who, witness, partial=partial)
        elif stem in removed:
            report.removed.append(stem)
            continue
        else:
            problem = "" if partial else f"it is missing: {who} saw it with {witness.count} records"
        if problem:
            wrong.setdefault(stem, _of_file(stem, problem))
    report.faults, report.removed = [*report.faults, *wrong.values()], sorted(set(report.removed))
    return report


def _file(report: Report, file: File, *, partial: bool) -> Header:
    """One file's header and chain."""
    data, stem = file.header(), file.path.stem
    header = decode_header(data)
    name = name_of(file.path)
    if name is None or (header.began_ms, header.writer, header.part) != name:
        report.faults.append(_of_file(stem, "its header is another file's"))
    if problem := file.damage():
        report.faults.append(_of_file(stem, f"the database is damaged: {problem}"))
    before, number = ledger_body.genesis(data), 0
    for row in file.behind(FIRST):
        report.records += 1
        if row.number <= 0:
            report.faults.append(Fault(stem, header.writer, row.number, row.request_id, "no record has such a number"))
            continue
        gap = partial and row.number > number + 1
        report.partial += gap
        problem = _problem(file, row, None if gap else before, number)
        if problem:
            report.faults.append(Fault(stem, header.writer, row.number, row.request_id, problem))
        before = _linked(before, row) if problem == WRONG_HASH else row.hash
        number = row.number
    report.heads.append(Witness(stem, number, before.hex()))
    return header


def _problem(file: File, row: Row, before: bytes | None, number: int) -> str:
    """What is wrong with the record behind the one of that number and hash (None: not known); empty if nothing is."""
    try:
        plain = ledger_body.unpack(row.body)
        record = ledger_body.decode(plain)
    except ledger_body.Damaged as exc:
        return f"it was changed: {exc}"
    if before is not None:
        if row.number > number + 1:
            return f"{_these(number + 1, row.number - 1)} missing before it"
        if ledger_body.link(before, plain) != row.hash:
            return _why(file, row, plain, before)
    if (record.request_id, record.at_ms) != (row.request_id, row.time):
        return f"it is listed under another request or time than its own ({record.request_id})"
    return ""


def _these(first: int, last: int) -> str:
    return f"record {first} is" if first == last else f"records {first} to {last} are"


def _why(file: File, row: Row, plain: bytes, before: bytes) -> str:
    """What was done to a record that does not follow the one before it."""
    same = [other.number for other in file.find(row.request_id) if other.number != row.number]
    if same:
        return f"the same request is record {same[0]}"
    around = {other.number: other for other in file.around(row.number, AROUND)}
    for number, other in around.items():
        if number != row.number and ledger_body.link(other.hash, plain) == row.hash:
            return f"it is out of place: it was written behind what is record {number} now"
    behind = around.get(row.number + 1)
    if behind and _linked(ledger_body.link(before, plain), behind) == behind.hash:
        return WRONG_HASH
    first = "the header" if row.number == 1 else f"record {row.number - 1}"
    return f"it does not follow {first}: one of the two was changed, or what stood between them was removed"


def _linked(before: bytes, row: Row) -> bytes:
    """The hash that the record has behind that one; none if it is none."""
    try:
        return ledger_body.link(before, ledger_body.unpack(row.body))
    except ledger_body.Damaged:
        return b""


def _witnessed(path: Path, who: str, witness: Witness, *, partial: bool) -> str:
    """What a file no longer holds of what somebody saw in it; empty if it holds all."""
    try:
        with File(path) as file:
            found = file.hash_at(witness.count)
            last = file.witness().count
    except Unusable:
        return ""  # that has been said
    if found is None:
        return "" if partial else f"its end is missing: it has {last} records, and {who} saw {witness.count}"
    number = f"up to record {witness.count}" if witness.count else "from its beginning"
    return "" if found.hex() == witness.head else f"it was written anew {number}: {who} saw another hash there"


def _of_file(stem: str, problem: str) -> Fault:
    name = name_of(Path(f"{stem}.db"))
    return Fault(stem, name.writer if name else "", 0, "", problem)


def parse_heads(text: str) -> list[Witness]:
    """Heads as `records head` prints them, one a line; ValueError names what is none."""
    found = []
    for line in filter(None, map(str.strip, text.splitlines())):
        file, _, rest = line.partition(":")
        count, _, head = rest.partition(":")
        if not (file and count.isascii() and count.isdigit() and len(head) == 64 and _is_hex(head)):
            raise ValueError(f"{line[:100]!r} is no head like FILE:RECORDS:HASH, as `records head` prints it")
        found.append(Witness(file, int(count), head.lower()))
    return found


def _is_hex(text: str) -> bool:
    return not set(text.lower()) - set("0123456789abcdef")
