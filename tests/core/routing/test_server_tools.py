import pytest

from core.dialects import CLIENTS, PROVIDERS
from core.exchange import Candidate, Target
from core.messages import Block, Message, Request, Tool
from core.routing.server_tools import ENCODED, WEB_SEARCH, carries

SEARCH = Tool(name="web_search", type="web_search_20250305")


def asking(client: str) -> Request:
    message = Message(role="user", content=[Block(type="text", text="what is new?")])
    return Request(dialect=client, raw=b"", model="m", messages=[message], tools=[SEARCH], max_tokens=9)


@pytest.mark.parametrize("client", [*CLIENTS])
@pytest.mark.parametrize("provider", [*PROVIDERS])
def test_the_table_says_what_the_encoders_do(client: str, provider: str) -> None:
    """What the table promises is in the body, and what it does not promise is not: nothing vanishes unsaid."""
    if client == provider:
        assert carries(client, provider, WEB_SEARCH)
        return
    body = PROVIDERS[provider].encode_request(asking(client), Candidate(Target("p", "m")))
    sent = b"web_search" in body or b"googleSearch" in body or b"google_search" in body
    assert sent is carries(client, provider, WEB_SEARCH)


@pytest.mark.parametrize("client", [*CLIENTS])
def test_loopback_takes_everything(client: str) -> None:
    assert carries(client, "loopback", "code_execution")
    assert WEB_SEARCH in ENCODED["anthropic"]
