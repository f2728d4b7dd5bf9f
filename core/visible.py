"""Anybody's text on a terminal: no character moves the cursor, hides, or turns what follows. Pure."""


def visible(text: object, most: int = 200) -> str:
    """With escapes for what is no visible character, and cut to `most` of them."""
    said = str(text)
    shown = said if said.isprintable() else "".join(map(_escaped, said[:most]))
    return shown if len(shown) <= most else f"{shown[: most - 1]}…"


def _escaped(char: str) -> str:
    if char.isprintable():
        return char
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
