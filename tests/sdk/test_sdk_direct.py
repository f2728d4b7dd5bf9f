"""The checks themselves, against the fake provider: what fails here is no fault of the proxy."""

from collections.abc import Callable

import anthropic_checks
import openai_checks
import pytest
import responses_checks
from upstream import Upstream

MODULES = (anthropic_checks, openai_checks, responses_checks)
ALL = [pytest.param(check, id=f"{module.__name__}-{check.__name__}") for module in MODULES for check in module.CHECKS]


@pytest.mark.parametrize("check", ALL)
def test_check_against_the_fake_itself(upstream: Upstream, check: Callable[[str, str], None]) -> None:
    check(upstream.url, "claude-sonnet-5")

    assert upstream.requests


@pytest.mark.parametrize("module", MODULES)
def test_no_check_is_forgotten(module: object) -> None:
    defined = {name for name in vars(module) if name.startswith("check_")} - {"check_calls"}

    assert defined == {check.__name__ for check in getattr(module, "CHECKS")}  # noqa: B009
