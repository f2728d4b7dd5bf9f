"""What a user sees first: where to point a client, and whether answers are real."""

from urllib.parse import quote

from core.config_file import LOOPBACK_NAMES
from core.settings import Loaded


def text(loaded: Loaded, port: int) -> str:
    """The lines. `port` is the one that is listened on."""
    server = loaded.settings.server
    host = f"[{server.host}]" if ":" in server.host else server.host
    shown = "127.0.0.1" if server.host in LOOPBACK_NAMES else host
    lines = [
        f"Terraphim LLM Proxy listens on http://{host}:{port}",
        f"  configuration: {loaded.path or 'none (the embedded default)'}",
        f"  rules: {loaded.settings.plugins.dir}   taxonomy: {loaded.settings.taxonomy.dir}",
        "  Claude Code:",
        f"    export ANTHROPIC_BASE_URL=http://{shown}:{port}",
        f"    export ANTHROPIC_AUTH_TOKEN={'<one of server.keys>' if server.keys else 'none-needed'}",
        f"  OpenAI SDKs: OPENAI_BASE_URL=http://{shown}:{port}/v1",
        f"  page: http://{shown}:{port}/ui#token={quote(loaded.secrets.admin)}",
    ]
    if loaded.settings.simulated:
        lines.append(
            "  No provider key was found: answers are SIMULATED (x-terraphim-simulated: 1).\n"
            "  Set ANTHROPIC_API_KEY, OPENROUTER_API_KEY or another provider's key for real ones."
        )
    return "\n".join(lines)
