from typing import Any

import pytest

from core.identity import agent_of, session_id
from core.messages import Block, Message, Request

UUID = "3f2c1a7e-1111-4222-8333-444455556666"
ALL_HEADERS = {
    "x-claude-code-session-id": "from-claude-code",
    "session-id": "from-session-id",
    "session_id": "from-session_id",
    "x-session-id": "from-x-session-id",
}


def request(system: str = "sys", first: str = "hello", **fields: Any) -> Request:
    message = Message(role="user", content=[Block(type="text", text=first)])
    return Request(
        dialect="anthropic",
        raw=b"",
        model="m",
        system=[Block(type="text", text=f"x-anthropic-billing-header: {first}"), Block(type="text", text=system)],
        messages=[message],
        **fields,
    )


def test_the_clients_own_ids_are_tried_in_order() -> None:
    fields = {"user": f'{{"session_id":"{UUID}"}}', "prompt_cache_key": "from-cache-key"}
    headers = dict(ALL_HEADERS)
    found = [session_id(request(**fields), headers, "k")]
    del headers["x-claude-code-session-id"]
    found.append(session_id(request(**fields), headers, "k"))
    fields["user"] = "someone"
    for name in ("session-id", "session_id", "x-session-id"):
        found.append(session_id(request(**fields), headers, "k"))
        del headers[name]
    found.append(session_id(request(**fields), headers, "k"))

    assert found == [
        "from-claude-code",
        UUID,
        "from-session-id",
        "from-session_id",
        "from-x-session-id",
        "from-cache-key",
    ]


@pytest.mark.parametrize(
    "user",
    [
        f'{{"device_id":"d","account_uuid":"","session_id":"{UUID}"}}',
        f"user_0123abcd_account__session_{UUID}",
        f"user_0123abcd_account_{UUID}_session_{UUID}",
    ],
)
def test_both_forms_of_the_user_id_hold_a_session(user: str) -> None:
    assert session_id(request(user=user), {}, "k") == UUID


@pytest.mark.parametrize("user", ["", "{", '{"session_id":5}', "[1]", "{}", "alice_session_7", "user_x_session_"])
def test_a_user_id_without_a_session_falls_back_to_the_conversations_beginning(user: str) -> None:
    assert session_id(request(user=user), {}, "k") == session_id(request(), {}, "k")


def test_the_fallback_depends_on_the_beginning_and_the_client_only() -> None:
    first = session_id(request(), {}, "k")
    later = request()
    later.messages.append(Message(role="user", content=[Block(type="text", text="more")]))
    later.system[0].text = "x-anthropic-billing-header: another prompt"

    assert session_id(later, {}, "k") == first
    assert len({first, *(session_id(request(*args), {}, key) for args, key in OTHERS)}) == len(OTHERS) + 1
    assert len(first) == 32


OTHERS: list[tuple[tuple[str, ...], str]] = [(("sys2",), "k"), (("sys", "hello2"), "k"), ((), "another key")]


@pytest.mark.parametrize("sent", ["x" * 129, "a b", "a\nb", "é", "../../etc"])
def test_a_strange_id_is_replaced_by_its_hash(sent: str) -> None:
    found = session_id(request(), {"x-session-id": sent}, "k")

    assert found == session_id(request("other"), {"x-session-id": sent}, "k2")
    assert len(found) == 32
    assert found != session_id(request(), {}, "k")


@pytest.mark.parametrize(
    ("user_agent", "agent"),
    [
        ("claude-cli/2.1.330 (external, cli)", "claude-code"),
        ("codex_cli_rs/0.169.0 (Debian 12; x86_64)", "codex"),
        ("Anthropic/Python 2.12.0", "anthropic-sdk"),
        ("AsyncOpenAI/Python 3.54.0", "openai-sdk"),
        ("OpenAI/JS 6.1.0", "openai-sdk"),
        ("curl/8.5", "curl"),
        ("Mozilla/5.0 (X11)", "mozilla"),
        ("", ""),
        ("\x1b[31mred/1", ""),
        ("x" * 33 + "/1", ""),
    ],
)
def test_the_agent_is_the_first_product_of_the_user_agent(user_agent: str, agent: str) -> None:
    assert agent_of({"user-agent": user_agent}) == agent


def test_no_user_agent_is_no_agent() -> None:
    assert agent_of({}) == ""
