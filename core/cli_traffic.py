"""`traffic`: generated requests, written down or sent to a proxy on this machine."""

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any, Final

import typer

from core.cli_common import EXIT_FAILURE, EXIT_USAGE, Json, print_json, refuse_with

if TYPE_CHECKING:
    from core.lab.traffic import Sent

#: Addresses that traffic is sent to: it is for trying things out, and nobody else's proxy is a place for that.
LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
#: A hang, in seconds.
PATIENCE_S: Final = 120.0


def traffic(
    file: Annotated[Path | None, typer.Argument(help="Where JSON lines go; standard output if left out.")] = None,
    *,
    seed: Annotated[int, typer.Option(help="The same seed gives the same bytes.")] = 0,
    requests: Annotated[int, typer.Option(min=1, help="How many.")] = 1000,
    to: Annotated[
        str, typer.Option("--to", help="Send them to this proxy instead, one by one: http://127.0.0.1:3456.")
    ] = "",
    as_json: Json = False,
) -> None:
    """Make what a team's coding agents and programs would send; write it down, or send it to a proxy of one's own."""
    from core.cli_progress import Progress
    from core.lab.traffic import generate

    if to and file:
        refuse_with("--to sends the requests: FILE is for those that are written down", EXIT_USAGE)
    with Progress("requests") as progress:
        sents = _counted(generate(seed, requests), progress.more)
        report = send(sents, *_address(to)) if to else {"requests": requests, "bytes": _written(sents, file)}
    if file is None and not to:
        return
    if as_json:
        print_json(report)
    else:
        print(text(report))
    if to and report["failed"]:
        raise typer.Exit(EXIT_FAILURE)


def _counted(sents: "Iterator[Sent]", more: Callable[[int], None]) -> "Iterator[Sent]":
    for sent in sents:
        yield sent
        more(1)


def _written(sents: "Iterator[Sent]", file: Path | None) -> int:
    """Bytes of the lines."""
    size = 0
    try:
        with _opened(file) as out:
            for sent in sents:
                size += out.write(line(sent))
    except OSError as exc:
        refuse_with(f"{file}: {exc.strerror}")
    return size


@contextmanager
def _opened(file: Path | None) -> Iterator[IO[bytes]]:
    if file is None:
        yield sys.stdout.buffer
    else:
        with file.open("wb") as out:
            yield out


def line(sent: "Sent") -> bytes:
    """The request as a line of JSON; its body is the JSON that it is."""
    import msgspec

    return msgspec.json.encode({**msgspec.structs.asdict(sent), "body": msgspec.Raw(sent.body)}) + b"\n"


def _address(url: str) -> tuple[str, int]:
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    if parts.scheme != "http" or parts.hostname not in LOOPBACK:
        here = ", ".join(sorted(LOOPBACK))
        refuse_with(f"--to: {url!r} is not http:// at an address of this machine ({here})", EXIT_USAGE)
    try:
        return parts.hostname, parts.port or 3456
    except ValueError:
        refuse_with(f"--to: {url!r} has no port that there is", EXIT_USAGE)


def send(sents: "Iterator[Sent]", host: str, port: int) -> dict[str, Any]:
    """Each sent, its answer read to its end: how many there were by status, and why they went where they went."""
    from http.client import HTTPConnection, HTTPException

    statuses, reasons, failed = Counter[int](), Counter[str](), 0
    with closing(HTTPConnection(host, port, timeout=PATIENCE_S)) as connection:
        for sent in sents:
            try:
                connection.request("POST", sent.endpoint, sent.body, sent.headers)
                answer = connection.getresponse()
                answer.read()
            except (OSError, HTTPException) as exc:
                refuse_with(f"http://{host}:{port}: {type(exc).__name__}: is a proxy running there?")
            statuses[answer.status] += 1
            failed += answer.status != 200
            reasons[answer.headers.get("x-terraphim-reason", "none").partition(":")[0]] += 1
    return {
        "requests": statuses.total(),
        "failed": failed,
        "statuses": {str(status): count for status, count in sorted(statuses.items())},
        "reasons": dict(reasons.most_common()),
    }


def text(report: dict[str, Any]) -> str:
    """What was done, for people."""
    if "bytes" in report:
        return f"{report['requests']} requests, {report['bytes']} bytes"
    answers = ", ".join(f"{count} with {status}" for status, count in report["statuses"].items())
    reasons = "\n".join(f"  {count:>7}  {reason}" for reason, count in report["reasons"].items())
    return f"{report['requests']} requests were answered, {answers}; they were decided by\n{reasons}"
