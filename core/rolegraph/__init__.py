"""RoleGraph: markdown files that say which words mean which concept, and who should answer.

    files ── parser ──> Concept ── load ──> Taxonomy ── automaton ──> hits ── matcher ──> ranked ConceptMatch

- `model`: Concept, Route, Taxonomy; `parser`: one file's text -> Concept and problems; `load`: a folder -> Taxonomy.
- `text`: the only place that knows how text is folded, and how offsets lead back to the original.
- `automaton`: Aho-Corasick, word boundaries, leftmost-longest; the only importer of pyahocorasick.
- `matcher`: rank and score; `legacy`: the old score formula; `trigger`: the TF-IDF fallback, off by default.
- `cooccurrence`: documents ranked by which concepts follow each other.
- `lint` and `examples`: what `taxonomy lint` and `taxonomy test` show.

Everything but `load.read_files` is pure.
"""

from core.rolegraph.examples import ExampleReport, Failure, run_examples, test_report
from core.rolegraph.lint import Finding, lint_report
from core.rolegraph.load import build_taxonomy, load_taxonomy
from core.rolegraph.matcher import ConceptMatch, Matcher
from core.rolegraph.model import Concept, Line, Route, Taxonomy
from core.rolegraph.parser import parse_concept
from core.rolegraph.text import strip_code

__all__ = [
    "Concept",
    "ConceptMatch",
    "ExampleReport",
    "Failure",
    "Finding",
    "Line",
    "Matcher",
    "Route",
    "Taxonomy",
    "build_taxonomy",
    "lint_report",
    "load_taxonomy",
    "parse_concept",
    "run_examples",
    "strip_code",
    "test_report",
]
