"""Whom `doctor` reaches: the proxy on its port, and with `--online` the providers. No key is sent to anybody."""

import asyncio
import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime

from core import __version__, port_owner
from core.cli_proxy import Address, NoProxyError, NothingThereError, health
from core.errors import UpstreamFailed
from core.finding import Finding, note, wrong
from core.schema import ProviderSettings, UpstreamSettings
from core.settings import Loaded
from core.upstream import Upstream
from core.visible import visible

#: Seconds for a provider, and by how much a clock may differ from one.
PATIENCE_S, SKEW_S = 5.0, 60


def proxy(address: Address) -> Iterator[Finding]:
    """Who is on the port, and how our proxy there is."""
    owner = port_owner.owner_of(address.host, address.port, process=True)
    try:
        told = health(address)
    except NothingThereError:
        yield note(
            "proxy",
            f"nobody listens at {address.url}",
            "terraphim-proxy serve, or terraphim-proxy run --serve -- claude",
        )
        return
    except NoProxyError as exc:
        who = f" ({owner})" if owner and str(owner) not in str(exc) else ""
        yield wrong("proxy", f"{address.url}: {exc}{who}", "end it, or set server.port to another port")
        return
    by = f", {owner}" if owner else ""
    yield Finding("proxy", ok=True, state=f"serves at {address.url}{by}")
    if told["version"] != __version__:
        state = f"it is {visible(told['version'], 20)}, this command {__version__}"
        pid = owner.pid if owner and owner.pid else "PID"
        yield wrong("version", state, f"terraphim-proxy serve --replace {pid}")
    if told.get("status") != "ok":
        yield note("status", visible(told.get("status", "?"), 40))
    if told.get("simulated") is True:
        yield note("answers", "SIMULATED: no provider has a key", "export ANTHROPIC_API_KEY=… before `serve`")
    if isinstance(waits := told.get("restart"), list) and waits:
        names = ", ".join(visible(each, 60) for each in waits)
        yield note("restart", f"{names} count from the next start", "restart the proxy")
    if isinstance(problems := told.get("problems"), int) and problems:
        yield wrong(
            "problems", f"the proxy tells of {problems}", f"terraphim-proxy check, or curl {address.url}/health"
        )


def online(loaded: Loaded) -> list[Finding]:
    """Name, address, TLS and an answer of each provider that is asked for real, without a key; and the clock."""
    asked = {
        name: each for name, each in loaded.settings.providers.items() if each.base_url and each.dialect != "loopback"
    }
    if loaded.settings.simulated or not asked:
        return [note("providers", "none is asked: answers are simulated")]
    return asyncio.run(_all(asked))


async def _all(asked: dict[str, ProviderSettings]) -> list[Finding]:
    upstream = Upstream()
    try:
        found = await asyncio.gather(*(_one(upstream, name, each) for name, each in asked.items()))
    finally:
        await upstream.close()
    dates = [seen for _, seen in found if seen is not None]
    return [each for each, _ in found] + ([skew(time.time(), dates)] if dates else [])


async def _one(upstream: Upstream, name: str, provider: ProviderSettings) -> tuple[Finding, float | None]:
    clocks = UpstreamSettings(
        connect_s=PATIENCE_S, first_content_s=PATIENCE_S, between_content_s=PATIENCE_S, total_s=PATIENCE_S
    )
    try:
        async with upstream.get(provider.base_url, clocks, {}, allow_private=provider.allow_private) as reply:
            state = f"answers (status {reply.status} without a key)"
            return Finding(name, ok=True, state=state), _date(reply.headers.get("date", ""))
    except UpstreamFailed as exc:
        fix = "curl -sS -o /dev/null -w '%{http_code}' " + provider.base_url + "; base_url, DNS, firewall"
        return wrong(name, visible(exc.message), fix), None


def _date(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None


def skew(now: float, dates: list[float]) -> Finding:
    """Of this machine's clock against the providers': the middle one of them counts. Unix times; pure."""
    off = now - sorted(dates)[len(dates) // 2]
    if abs(off) > SKEW_S:
        told = f"{abs(off):.0f} s {'ahead of' if off > 0 else 'behind'} the providers' clocks"
        return wrong("clock", told, "timedatectl set-ntp true")
    return Finding("clock", ok=True, state="as the providers' clocks")
