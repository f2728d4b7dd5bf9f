"""Whether there is room for one more request, pure: how many are in flight, and how much memory is in use."""

from core.errors import Overloaded
from core.refusals import RETRY_AFTER_S, Tally
from core.schema import ServerSettings

#: Memory is normal again below this share of the watermark.
NORMAL = 0.95
MIB = 1024 * 1024


class Arriving:
    """Bodies that are being read. Slow ones take no room from requests that are whole."""

    def __init__(self) -> None:
        self.count = 0

    def __enter__(self) -> None:
        self.count += 1

    def __exit__(self, *_: object) -> None:
        self.count -= 1


class Admission:
    """The room of a process. `watermark` is in bytes, 0 for none."""

    def __init__(self, tally: Tally | None = None, limits: ServerSettings | None = None) -> None:
        self.tally = tally or Tally()
        self._limits = limits or ServerSettings()
        self.arriving = Arriving()
        self.in_flight = 0
        self.watermark = 0
        self.high = False

    def use(self, limits: ServerSettings, watermark: int) -> None:
        """These limits count from now on."""
        self._limits = limits
        self.watermark = watermark

    def __enter__(self) -> None:
        """One more request, for as long as the block. Overloaded if there is no room."""
        self.check()
        self.in_flight += 1

    def check(self) -> None:
        """Overloaded if there is no room for one more.

        Without any other request, memory is no reason: refusing would free none.
        """
        if self.in_flight >= self._limits.max_in_flight:
            self._refuse("max_in_flight", f"{self.in_flight} requests are under way (server.max_in_flight)")
        if self.high and self.in_flight + self.arriving.count:
            self._refuse_memory()

    def __exit__(self, *_: object) -> None:
        self.in_flight -= 1

    def check_growth(self) -> None:
        """For an arriving body. Overloaded if memory is high and this is not the only request."""
        if self.high and self.in_flight + self.arriving.count > 1:
            self._refuse_memory()

    def _refuse_memory(self) -> None:
        self._refuse("max_memory_mb", f"over {self.watermark // MIB} MiB are in use (server.max_memory_mb)")

    def _refuse(self, reason: str, why: str) -> None:
        self.tally.add(reason)
        refusal = Overloaded(f"the proxy is overloaded: {why}; come back later")
        refusal.headers["retry-after"] = str(RETRY_AFTER_S)
        raise refusal

    def weigh(self, resident: int) -> bool:
        """Take note of the memory in use, in bytes; whether an episode of too much begins or ends with it."""
        was = self.high
        self.high = 0 < self.watermark * (NORMAL if was else 1.0) < resident
        return self.high != was
