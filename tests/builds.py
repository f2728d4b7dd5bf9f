"""The environment of builds, for the tests of compiled rules."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from facts import ROOT

from wasm_host import abi

#: An operator who waits as long as one may: a busy machine is nobody's fault.
PATIENT: Final[dict[str, Any]] = {"limits": {"timeout_ms": abi.LIMITS["timeout_ms"].cap}}


def environment(home: Path) -> Mapping[str, str]:
    """Package managers need the machine's PATH and their own configuration, and a HOME; tools are the clone's."""
    kept = {
        key: value for key, value in os.environ.items() if key == "PATH" or key.lower().startswith(("pip_", "npm_"))
    }
    return kept | {"HOME": str(home), "RULE_TOOLS": str(ROOT / ".tools")}
