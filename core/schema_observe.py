"""What the configuration says of what the proxy tells of itself: the log."""

from typing import Literal

from core.sections import Section


class LogSettings(Section):
    """How the log on stderr looks, and from which level on. `auto` is `console` on a terminal and `json` elsewhere."""

    format: Literal["auto", "json", "console"] = "auto"
    level: Literal["debug", "info", "warning", "error"] = "info"
