"""The committed vectors: text modules whose first line says what must come of them."""

from pathlib import Path
from typing import Any, Final, NamedTuple

from wasm_host import abi

FOLDER: Final = Path(abi.__file__).parent / "conformance"
#: The only targets that a vector may name, and the request that it is asked.
TARGETS: Final = frozenset({"a,b", "c,d"})
VIEW: Final[dict[str, Any]] = abi.EXAMPLE | {"targets": [{"name": name} for name in sorted(TARGETS)]}


class Vector(NamedTuple):
    """One file. `kind` is `outcome` (it loads, and a call ends in `code`) or `load` (it is refused with `code`)."""

    path: Path
    kind: str
    code: str

    def __str__(self) -> str:
        return self.path.stem

    @property
    def group(self) -> str:
        """Its folder: good, hostile or refused."""
        return self.path.parent.name


def vectors() -> list[Vector]:
    """All of them, by path."""
    return [_read(path) for path in sorted(FOLDER.rglob("*.wat"))]


def _read(path: Path) -> Vector:
    kind, _, code = path.read_text().partition("\n")[0].removeprefix(";; ").partition(": ")
    return Vector(path, kind, code)
