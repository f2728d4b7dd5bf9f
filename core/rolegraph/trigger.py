"""The fallback when no pattern hits: which `trigger::` text is the prompt most alike? Off unless switched on.

Binary term frequency times smoothed inverse document frequency, idf = ln((N + 1) / (df + 1)) + 1, compared by cosine
(Salton's vector space model). A document is one concept's trigger lines. A word that no trigger knows still counts in
the prompt's length, so that a long prompt which shares two words with a trigger is not like it.
"""

import math
from collections import Counter
from collections.abc import Sequence

from core.rolegraph.model import Concept
from core.rolegraph.text import normalise
from core.rolegraph.words import content_words

THRESHOLD = 0.3


class TriggerIndex:
    """The triggers of all concepts, by word."""

    def __init__(self, concepts: Sequence[Concept]) -> None:
        documents = {
            position: content_words(normalise(" ".join(trigger.text for trigger in concept.triggers)))
            for position, concept in enumerate(concepts)
            if concept.triggers
        }
        frequency = Counter(word for document in documents.values() for word in document)
        self._unknown = math.log(len(documents) + 1) + 1
        self._idf = {word: math.log((len(documents) + 1) / (count + 1)) + 1 for word, count in frequency.items()}
        self._documents = [(position, document, self._length(document)) for position, document in documents.items()]

    def similar(self, text: str) -> list[tuple[int, float]]:
        """(position of the concept, cosine), the most alike first, from the threshold upward."""
        query = content_words(normalise(text))
        length = self._length(query)
        found = []
        for position, document, document_length in self._documents:
            shared = query & document
            if shared:
                cosine = self._squares(shared) / (length * document_length)
                if cosine >= THRESHOLD:
                    found.append((position, cosine))
        return sorted(found, key=lambda pair: (-pair[1], pair[0]))

    def _length(self, document: set[str]) -> float:
        return math.sqrt(self._squares(document))

    def _squares(self, document: set[str]) -> float:
        # fsum: sets have no order, and a sum that depends on one would not be the same in the next process.
        return math.fsum(self._idf.get(word, self._unknown) ** 2 for word in document)
