"""What can be known of the page's files without a browser."""

from __future__ import annotations

import gzip
import re
import shutil
import subprocess
from pathlib import Path

import pytest

FRONTEND = Path(__file__).parents[2] / "frontend"
SCRIPTS = sorted((FRONTEND / "js").rglob("*.js"))
SHIPPED = [FRONTEND / "index.html", FRONTEND / "style.css", *SCRIPTS]

#: Text, and the ground that it may stand on.
TEXTS = [
    *((text, ground) for text in ("text", "muted", "accent") for ground in ("ground", "surface", "hover")),
    *((text, "surface") for text in ("good", "caution", "bad")),
    *((text, "ground") for text in ("good", "caution", "bad")),
    ("on-accent", "accent"),
    ("accent", "accent-soft"),
    ("text", "accent-soft"),
    ("caution", "caution-soft"),
    ("text", "caution-soft"),
    ("bad", "bad-soft"),
    ("text", "bad-soft"),
    ("muted", "bad-soft"),
    ("muted", "caution-soft"),
]
#: Marks that tell something, and what they stand on.
MARKS = [(mark, ground) for mark in ("edge", "accent", "good", "caution", "bad") for ground in ("ground", "surface")]


def test_the_modules_do_what_their_tests_say():
    node = shutil.which("node")
    if node is None:
        pytest.skip("there is no Node here")
    tests = sorted(str(path) for path in Path(__file__).parent.glob("*.test.js"))

    ran = subprocess.run([node, "--test", *tests], capture_output=True, text=True, timeout=120, check=False)

    assert ran.returncode == 0, ran.stdout


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_and_marks_stand_out_from_what_they_stand_on(theme):
    colours = tokens(theme)

    faint = [f"{text} on {ground}" for text, ground in TEXTS if contrast(colours[text], colours[ground]) < 4.5]
    faint += [f"{mark} on {ground}" for mark, ground in MARKS if contrast(colours[mark], colours[ground]) < 3]

    assert faint == []


def test_the_page_is_small():
    packed = sum(len(gzip.compress(path.read_bytes())) for path in [FRONTEND / "style.css", *SCRIPTS])

    assert packed < 60_000


def test_data_cannot_become_markup():
    ways = re.compile(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|\beval\b|new Function|srcdoc")

    assert [f"{path.name}: {found}" for path in SCRIPTS for found in ways.findall(path.read_text())] == []


def test_nothing_is_inline_so_that_a_strict_policy_holds():
    page = (FRONTEND / "index.html").read_text()

    assert re.findall(r"<script(?![^>]*\bsrc=)", page) == []
    assert re.findall(r"<style|\sstyle=|\son\w+=", page) == []
    drawing = [path for path in SCRIPTS if "dom.js" in path.read_text() or path.name == "dom.js"]
    assert [path.name for path in drawing if re.search(r"\bstyle:|'style'|cssText", path.read_text())] == []


def test_nothing_is_asked_of_another_host():
    elsewhere = re.compile(r"""(?:https?:)?//[a-z0-9.-]+\.[a-z]{2,}[^\s'"`)]*""")
    found = [f"{path.name}: {url}" for path in SHIPPED for url in elsewhere.findall(path.read_text())]

    assert [one for one in found if "www.w3.org/2000/svg" not in one] == []


def test_only_one_module_talks_to_the_service():
    ways = re.compile(r"\bfetch\(|XMLHttpRequest|EventSource\(")

    assert [path.name for path in SCRIPTS if ways.search(path.read_text())] == ["api.js"]


def test_the_modules_are_all_asked_for_at_once():
    page = (FRONTEND / "index.html").read_text()
    named = re.findall(r'<(?:script|link)[^>]*(?:src|href)="(js/[^"]+)"', page)

    assert sorted(named) == sorted(str(path.relative_to(FRONTEND)) for path in SCRIPTS)


def test_modules_are_small():
    texts = {"en.js", "fr.js"}

    assert [path.name for path in SCRIPTS if path.name not in texts and len(path.read_text().splitlines()) > 300] == []


def tokens(theme: str) -> dict[str, str]:
    """The colours of a theme, by name."""
    found = re.findall(r"--([\w-]+): light-dark\((#\w{6}), (#\w{6})\);", (FRONTEND / "style.css").read_text())
    return {name: light if theme == "light" else dark for name, light, dark in found}


def contrast(one: str, other: str) -> float:
    """WCAG 2.2, contrast ratio."""
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: str) -> float:
    """WCAG 2.2, relative luminance."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
