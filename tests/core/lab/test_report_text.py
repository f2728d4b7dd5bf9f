"""A backtest's report in a terminal."""

from reported import HOSTILE, empty, full

from core.lab.report_text import text

WANTED = """\
x.wasm against what was decided
  records                         1,000, 1970-01-02T00:00:00.000Z to 1970-01-03T23:59:59.999Z
  decided again                   950 (95 %)
  of these partial                7 (a rule's answer was taken from the record)
  flips                           21 (2.211 %)
  other reason, same target       4
  other fallbacks or limits only  3
  refusals                        2 new, 0 gone
  faults of rules                 2
  cost                            5.0000 USD to 4.0000 USD, -1.0000 USD (-20 %), of which 0.1000 USD for prompt caches \
that are lost; 900 requests, 20 without usage left out, 30 without a price left out

flips
  19 (2 %)  a,b → c,d
      req_0  1970-01-02T00:00:00.000Z  default → rule:x
      req_1  1970-01-02T00:00:00.001Z  default → rule:x
  2 (0.211 %)  c,d → refused 403
      req_0  1970-01-02T00:00:00.000Z  default → rule:x
"""


def test_figures_first_then_what_differs() -> None:
    said = text(full(), ["--max-flips 1%: it is 2.211%"])
    assert said.startswith(WANTED)
    for line in (
        "  rule:x names c,d: cannot do images: 0 → 5",
        "  x: asked 0 → 950, decided 0 → 21",
        "      fuel p50 900, p99 1,096, max 1,100; won from default 21; faults trap 2",
        "  40  rule x, which reads request.last_user",
        "exceeded: --max-flips 1%: it is 2.211%",
    ):
        assert line in said.splitlines()


def test_nothing_steers_the_terminal() -> None:
    said = text(full(target=HOSTILE))
    assert all(char.isprintable() or char == "\n" for char in said)


def test_of_nothing_there_is_little_to_say() -> None:
    assert "decided again" in text(empty())
    assert len(text(empty()).splitlines()) == 9
