"""What the configuration says of rolling rules out: `[plugins.rollout]`, and `[rules.NAME.rollout]` for one of them."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from core.sections import Section

Percent = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]
Share = Annotated[float, Field(gt=0, le=100, allow_inf_nan=False)]


class RolloutSettings(Section):
    """How a rule comes from shadow to everybody: `steps` are the shares of sessions in between. Shares and limits are
    per cent.

    `auto`: whether a rule that does not hold the limits is rolled back, and one that does is promoted (`promote`, for
    one rule only). Limits are of its last `min_decisions` calls: those that failed, those that used more than
    `max_fuel` of the rule's fuel (one in a hundred may), and those in shadow in which it would have named another
    target than was decided.
    """

    steps: tuple[Share, ...] = (5.0, 25.0)
    auto: Literal["off", "rollback", "promote"] = "rollback"
    min_decisions: int = Field(default=200, ge=20, le=10_000)
    max_fault_rate: Percent = 1.0
    max_disagreement: Percent | None = None
    max_fuel: Share | None = None


def of_rule(everybody: RolloutSettings, own: Mapping[str, Any]) -> RolloutSettings:
    """A rule's settings: its own table laid over what counts for all; pydantic.ValidationError says what is wrong."""
    return RolloutSettings.model_validate({**everybody.model_dump(), **own})
