"""Cleaning steps: what happens to a text, in the order given, before it is converted.

Numbers and booleans are cleaned as the text that they are written in; of all steps, only ``milliseconds`` changes
what a number says. Every step is total, and quick where there is nothing to do, since most text is clean.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Sequence
from typing import Final
from unicodedata import normalize

from etl_service.spec import Clean

Step = Callable[[str], str | None]


def cleaner(clean: Sequence[Clean]) -> Step | None:
    """All the steps as one, or None where there are none; a step that gives None is the last."""
    steps = [STEPS[name] for name in clean]
    if len(steps) < 2:
        return steps[0] if steps else None

    def apply(text: str) -> str | None:
        cleaned: str | None = text
        for step in steps:
            if cleaned is None:
                return None
            cleaned = step(cleaned)
        return cleaned

    return apply


def clean_all(clean: Sequence[Clean], texts: Sequence[str | None]) -> Sequence[str | None]:
    """A column of texts cleaned; step by step, which is twice as fast as text by text."""
    for name in clean:
        step = STEPS[name]
        texts = [text if text is None else step(text) for text in texts]
    return texts


def collapse_spaces(text: str) -> str:
    """Make each run of white space, line breaks included, one space."""
    text = text.replace("\n", " ")  # often all there is to do, and much quicker than what follows
    if "  " not in text and text.isascii() and not ("\t" in text or "\x1f" in text) and text.splitlines() == [text]:
        return text  # the other white space of ASCII breaks lines
    return " ".join(f"|{text}|".split())[1:-1]


def empty_to_null(text: str) -> str | None:
    return text or None


def placeholder_to_null(text: str) -> str | None:
    """Make null of what sources write where they have nothing."""
    return None if len(text) <= _LONGEST_PLACEHOLDER and text.lower() in PLACEHOLDERS else text


def strip_html(text: str) -> str:
    """Leave what a reader of the page would see: no tags, comments, scripts or styles; entities decoded.

    A tag that begins a line on the page leaves a line break, and none is left at the ends.
    """
    if "<" in text:
        text = _MARKUP.sub(lambda markup: "\n" if markup["block"] else "", text)
    if "&" in text:
        text = html.unescape(_ENDLESS_ENTITY.sub("\ufffd", text))
    return text.strip()


def strip_control(text: str) -> str:
    """Take out control characters, NUL among them; tabs and line breaks stay."""
    return text if text.isprintable() else _CONTROL.sub("", text)


def normalize_unicode(text: str) -> str:
    """Write letters that look alike alike (NFC)."""
    return text if text.isascii() else normalize("NFC", text)


def milliseconds(text: str) -> str:
    """Divide a number by 1000, so that a timestamp in milliseconds becomes one in seconds."""
    number = _NUMBER.fullmatch(text)
    return f"{number[1]}e{int(number[2] or 0) - 3}" if number else text


STEPS: Final[dict[Clean, Step]] = {
    "strip": str.strip,
    "collapse_spaces": collapse_spaces,
    "lower": str.lower,
    "upper": str.upper,
    "empty_to_null": empty_to_null,
    "placeholder_to_null": placeholder_to_null,
    "strip_html": strip_html,
    "strip_control": strip_control,
    "normalize_unicode": normalize_unicode,
    "milliseconds": milliseconds,
}

#: "NA" is not among them: it is Namibia, too.
PLACEHOLDERS: Final = frozenset(("n/a", "#n/a", "null", "none", "nil", "nan", "undefined", "-", "--", "?"))
_LONGEST_PLACEHOLDER = max(map(len, PLACEHOLDERS))

# Nothing but a comment, a script or a style reaches over a "<", and those are never tried twice: linear in the text.
# A tag whose quotes do not match ends at its first ">".
_MARKUP = re.compile(
    r"""
      <!--.*?(?:-->|\Z)
    | <(?P<hidden>script|style)\b[^<>]*>.*?(?:</(?P=hidden)\b[^<>]*>|\Z)
    | <(?=/?[a-z]|[!?])
      /?(?P<block>(?:address|article|aside|blockquote|br|dd|div|dl|dt|figcaption|figure|footer|form|h[1-6]|header|hr
         |li|main|nav|ol|p|pre|section|table|td|th|tr|ul)\b)?
      (?:(?:[^<>"']|"[^<"]*+"|'[^<']*+')*+|[^<>]*+)>
    """,
    re.ASCII | re.DOTALL | re.IGNORECASE | re.VERBOSE,
)
_ENDLESS_ENTITY = re.compile(r"&\#[0-9]{100,};?")  # Python refuses to read a number of thousands of digits
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_NUMBER = re.compile(r"([+-]?[0-9]+(?:\.[0-9]+)?)(?:[eE]([+-]?[0-9]{1,8}))?")
