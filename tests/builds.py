"""The environment of builds, for the tests of compiled rules."""

import os
from collections.abc import Mapping
from pathlib import Path

from facts import ROOT


def environment(home: Path) -> Mapping[str, str]:
    """Package managers need the machine's PATH and their own configuration, and a HOME; tools are the clone's."""
    kept = {
        key: value for key, value in os.environ.items() if key == "PATH" or key.lower().startswith(("pip_", "npm_"))
    }
    return kept | {"HOME": str(home), "RULE_TOOLS": str(ROOT / ".tools")}
