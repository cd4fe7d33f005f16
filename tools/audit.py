"""Asks what is known of the locked dependencies to be vulnerable: ``make lint``.

It tells what it finds, and where there is no answer, as behind a mirror that has packages and no advisories. Advisories
appear while nothing changes here: those on what is shipped, and no answer, are failures with ``LINT_ALL=1`` alone, as
CI sets it.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

#: All that is locked but the linters' own, on which checkov alone decides.
LOCK = Path("requirements/dev.txt")
SHIPPED = (Path("requirements/run.txt"), Path("requirements/operator.txt"))
#: Of tests alone; jsonplaceholder is years old, and asked by nobody but this machine.
NPM = ("tests/sources", "tests/frontend")
SECONDS = 120
#: Advisories, by id, that do not concern what is shipped here, and why not.
ACCEPTED: dict[str, str] = {}


class Finding(NamedTuple):
    of: Literal["what is shipped", "what tests need", "accepted", "nothing is known"]
    text: str


class NoAnswer(Exception):
    """Nobody said whether there is a vulnerability."""


def main() -> None:
    findings = [*python(), *(finding for folder in NPM for finding in npm(folder))]
    for of, text in sorted(findings):
        print(f"{of}: {text}", file=sys.stderr)
    fatal = {"what is shipped", "nothing is known"} if os.environ.get("LINT_ALL") == "1" else set()
    sys.exit(any(finding.of in fatal for finding in findings))


def python() -> Iterator[Finding]:
    options = ("--disable-pip", "--require-hashes", "--format=json", "--progress-spinner=off")
    try:
        packages = ask(str(Path(sys.executable).with_name("pip-audit")), *options, f"--requirement={LOCK}")[
            "dependencies"
        ]
    except NoAnswer as why:
        yield Finding("nothing is known", f"of {LOCK}: {why}")
        return
    # pip-audit takes a package that the index knows nothing of for one without a vulnerability.
    if skipped := [package["name"] for package in packages if "skip_reason" in package]:
        yield Finding("nothing is known", f"of {len(skipped)} packages in {LOCK}, {skipped[0]} among them")
    shipped = {name for lock in SHIPPED for name in re.findall(r"^([\w.-]+)", lock.read_text(), re.MULTILINE)}
    for package in packages:
        for known in package.get("vulns", ()):
            text = f"{package['name']} {package['version']}: {known['id']}, "
            if reason := ACCEPTED.get(known["id"]):
                yield Finding("accepted", text + reason)
                continue
            yield Finding(
                "what is shipped" if package["name"] in shipped else "what tests need",
                text + f"mended in {', '.join(known['fix_versions']) or 'no version yet'}",
            )


def npm(folder: str) -> Iterator[Finding]:
    try:
        answer = ask("npm", "audit", "--json", "--prefix", folder)
        if "vulnerabilities" not in answer:
            raise NoAnswer(answer.get("message") or answer["error"]["summary"])
    except NoAnswer as why:
        yield Finding("nothing is known", f"of {folder}/package-lock.json: {why}")
        return
    if vulnerable := answer["vulnerabilities"]:
        yield Finding("what tests need", f"{', '.join(sorted(vulnerable))}; npm audit --prefix {folder} says why")


def ask(*command: str) -> Any:
    try:
        asked = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    except FileNotFoundError:
        raise NoAnswer(f"{command[0]} is not on this machine") from None
    except subprocess.TimeoutExpired:
        raise NoAnswer(f"{command[0]} had no answer in {SECONDS} s") from None
    try:
        return json.loads(asked.stdout)
    except json.JSONDecodeError:
        last = asked.stderr.strip().splitlines()[-1:] or ["it said nothing"]
        raise NoAnswer(last[0]) from None


if __name__ == "__main__":
    main()
