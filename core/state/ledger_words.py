"""What records say again and again, so that each need not say it: the preset dictionary of their compression.

These bytes are a part of the format: never change them, add another dictionary (`ledger_body`). What comes last is
cheapest to refer to.
"""

from typing import Final

WORDS: Final = b"{}"
