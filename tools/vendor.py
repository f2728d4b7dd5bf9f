"""Fetch what the page uses of others into `core/ui/vendor/`: `python tools/vendor.py`, or `make vendor`.

`vendor.json` names npm packages, their versions, and of each file where it lies in the package and its SHA-256. A file
is taken as it is, but for two lines that a browser without a build step cannot use: an import by a package's name
becomes one by path, and the pointer to a source map goes. `--accept` writes hashes that are new, after a version was
raised by hand.
"""

import hashlib
import json
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent.parent / "core" / "ui" / "vendor"
LIST = FOLDER / "vendor.json"
_BY_NAME = re.compile(rb'\bfrom\s*"preact"')
_SOURCE_MAP = re.compile(rb"\n?//# sourceMappingURL=\S+\s*\Z")


def adapted(data: bytes, name: str) -> bytes:
    """The file as a browser takes it."""
    if not name.endswith(".js"):
        return data
    return _SOURCE_MAP.sub(b"\n", _BY_NAME.sub(b'from"./preact.js"', data))


def packed(name: str, version: str) -> dict[str, bytes]:
    """The files of an npm package, by their path in it."""
    npm = shutil.which("npm")
    if npm is None:
        sys.exit("npm is missing: apt-get install npm")
    with tempfile.TemporaryDirectory() as folder:
        command = [npm, "pack", "--silent", "--ignore-scripts", f"{name}@{version}"]
        subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - fixed words
        [archive] = Path(folder).glob("*.tgz")
        with tarfile.open(archive) as tar:
            found = ((member.name.partition("/")[2], tar.extractfile(member)) for member in tar if member.isfile())
            return {path: file.read() for path, file in found if file is not None}


def take(listed: dict[str, Any], *, accept: bool) -> None:
    """Write all files; a wrong hash ends the program before the file is written."""
    for package, entry in listed.items():
        files = packed(package, entry["version"])
        for name, file in entry["files"].items():
            data = files[file["from"]]
            made = adapted(data, name)
            hashes = {"sha256": hashlib.sha256(data).hexdigest(), "vendored": hashlib.sha256(made).hexdigest()}
            if accept:
                file.update(hashes)
            elif any(file[key] != value for key, value in hashes.items()):
                sys.exit(f"{package} {entry['version']}: {file['from']} is not what vendor.json says: {hashes}")
            (FOLDER / name).write_bytes(made)
            print(f"{name}: {package} {entry['version']}, {len(made):,} bytes")  # noqa: T201


def main() -> None:
    """Fetch, check, write."""
    accept = "--accept" in sys.argv[1:]
    listed = json.loads(LIST.read_text("utf-8"))
    take(listed, accept=accept)
    if accept:
        LIST.write_text(json.dumps(listed, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
