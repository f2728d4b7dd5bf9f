"""RoleGraph proper: documents ranked by the concepts that follow each other in them.

Concepts are nodes. Two consecutive matches in a document make an edge between them, from the first to the second. A
document's rank for a query is the sum, over the edges at the query's concepts that occur in it, of

    node rank (how many edges were ever made at the concept) + edge rank (how often this edge was made)
    + document rank (how often it was made in this document).

An edge's id packs its two node ids with Szudzik's elegant pairing (M. Szudzik, "An Elegant Pairing Function", 2006).
"""

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from core.rolegraph.automaton import Automaton
from core.rolegraph.model import Concept, Taxonomy
from core.rolegraph.text import fold, lower


def pair(x: int, y: int) -> int:
    """One natural number for two, and a different one for each two."""
    return x * x + x + y if x >= y else y * y + x


def unpair(packed: int) -> tuple[int, int]:
    """The two that `pair` packed."""
    root = math.isqrt(packed)
    rest = packed - root * root
    return (rest, root) if rest < root else (root, rest - root)


class RankedDocument(NamedTuple):
    """A document, its rank, and the names of the query's concepts that it was found by."""

    document: str
    rank: int
    concepts: tuple[str, ...]


@dataclass(frozen=True)
class RoleGraph:
    """Built by `build_graph`; node ids are positions in `concepts`."""

    concepts: tuple[Concept, ...]
    automaton: Automaton
    node_ranks: Counter[int]
    edge_ranks: Counter[int]
    edges_of_node: dict[int, set[int]]
    documents_of_edge: dict[int, Counter[str]]

    def rank(self, query: str) -> list[RankedDocument]:
        """The documents that share an edge with the query's concepts, highest rank first, then by name."""
        ranks: Counter[str] = Counter()
        found_by: dict[str, list[str]] = {}
        for node in dict.fromkeys(_nodes(self.automaton, query)):
            for edge in self.edges_of_node.get(node, ()):
                for document, count in self.documents_of_edge[edge].items():
                    ranks[document] += self.node_ranks[node] + self.edge_ranks[edge] + count
                    names = found_by.setdefault(document, [])
                    if self.concepts[node].name not in names:
                        names.append(self.concepts[node].name)
        ordered = sorted(ranks, key=lambda document: (-ranks[document], document))
        return [RankedDocument(document, ranks[document], tuple(found_by[document])) for document in ordered]


def build_graph(taxonomy: Taxonomy, documents: Iterable[tuple[str, str]]) -> RoleGraph:
    """The graph of (name, text) documents."""
    automaton = Automaton(taxonomy.concepts)
    graph = RoleGraph(taxonomy.concepts, automaton, Counter(), Counter(), {}, {})
    for name, text in documents:
        for first, second in pairwise(_nodes(automaton, text)):
            edge = pair(first, second)
            for node in (first, second):
                graph.node_ranks[node] += 1
                graph.edges_of_node.setdefault(node, set()).add(edge)
            graph.edge_ranks[edge] += 1
            graph.documents_of_edge.setdefault(edge, Counter())[name] += 1
    return graph


def _nodes(automaton: Automaton, text: str) -> list[int]:
    """The concepts of a text in the order of their matches; a pattern of several concepts counts for each of them."""
    return [position for hit in automaton.hits(fold(lower(text))) for position in hit.pattern.concepts]
