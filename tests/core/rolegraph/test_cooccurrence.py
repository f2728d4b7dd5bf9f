from hypothesis import given, settings
from hypothesis import strategies as st

from core.rolegraph import build_taxonomy
from core.rolegraph.cooccurrence import RankedDocument, build_graph, pair, unpair

NATURAL = st.integers(min_value=0, max_value=2**40)
TAXONOMY = build_taxonomy([(f"{name}.md", "") for name in ("apple", "berry", "cherry", "date")])


def test_szudzik_fills_the_square_shell_by_shell() -> None:
    assert [pair(x, y) for x, y in ((0, 0), (0, 1), (1, 0), (1, 1), (0, 2), (1, 2), (2, 0), (2, 1), (2, 2))] == [
        *range(9)
    ]


@settings(deadline=None, derandomize=True, database=None)
@given(NATURAL, NATURAL)
def test_what_is_packed_can_be_unpacked(x: int, y: int) -> None:
    assert unpair(pair(x, y)) == (x, y)


@settings(deadline=None, derandomize=True, database=None)
@given(NATURAL)
def test_every_number_is_a_pair(packed: int) -> None:
    assert pair(*unpair(packed)) == packed


def test_rank_is_node_plus_edge_plus_document() -> None:
    graph = build_graph(
        TAXONOMY,
        [
            ("one", "Apple then berry, apple then berry."),  # edges a>b, b>a, a>b
            ("two", "An apple\n  berry pie with a date."),  # a>b, b>d
            ("three", "cherry date"),  # c>d
            ("four", "apple"),  # none
        ],
    )
    # Nodes: apple is in 4 edge ends, berry in 5. Edges: a>b 3, b>a 1, b>d 1.
    assert graph.rank("apple") == [
        RankedDocument("one", (4 + 3 + 2) + (4 + 1 + 1), ("apple",)),
        RankedDocument("two", 4 + 3 + 1, ("apple",)),
    ]
    assert [(found.document, found.concepts) for found in graph.rank("date or cherry")] == [
        ("three", ("date", "cherry")),
        ("two", ("date",)),
    ]
    assert graph.rank("nothing here") == []


def test_repeating_a_word_in_the_query_changes_nothing() -> None:
    graph = build_graph(TAXONOMY, [("x", "apple berry"), ("y", "berry apple")])
    assert graph.rank("apple apple") == graph.rank("apple")
    assert [found.document for found in graph.rank("apple")] == ["x", "y"]
