"""What real providers reject, one module each: `problems(path, headers, body)` says what is wrong, in their words.

Pure. A scripted provider that is given one as its `judge` answers 400 with the first problem (`upstream`).
"""

from collections.abc import Callable, Mapping
from typing import Any

Json = dict[str, Any]
#: Path with its query, header names in lower case, the body; what is wrong with them, the worst first.
Validator = Callable[[str, Mapping[str, str], Json], list[str]]
