"""UTF-8 that was read as Latin-1 or Windows-1252 ("perchÃ©"), made whole again.  Nothing else is guessed at.

Such a text says itself what it was: letters that hardly ever stand beside each other do so all over it, and all of it is UTF-8 again
once it is written back as the bytes that it was read from.
"""

import re

LEAST = 3  # such pairs that a text must hold: one may be meant
SAMPLE = 20_000  # characters in which they are looked for

_WINDOWS = {ord(bytes([code]).decode("cp1252")): code for code in range(0x80, 0xA0) if code not in (0x81, 0x8D, 0x8F, 0x90, 0x9D)}
_PAIR = re.compile(f"[\u00c2-\u00f4][\u0080-\u00bf{re.escape(''.join(map(chr, _WINDOWS)))}]")


def recoded(text: str, least: int = LEAST) -> str | None:
    """The text as it was written, or None: it is as it was written, or it cannot be told (fewer than `least` signs of it)."""
    if text.isascii() or len(_PAIR.findall(text[:SAMPLE])) < least:
        return None
    try:
        return text.translate(_WINDOWS).encode("latin-1").decode("utf-8")
    except UnicodeError:
        return None
