"""What is in a release, as CycloneDX JSON: ``sbom.py package VERSION LOCK`` or ``sbom.py image VERSION REFERENCE``.

What an image holds, as this machine runs it, is asked of its own package managers: dpkg, and Python's metadata.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import uuid
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import LicenseExpression
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

PIN = re.compile(r"^([\w.-]+)(?:\[[\w,-]+\])?==([^\s;]+)", re.MULTILINE)
DEBIAN = r"""
dpkg-query --show --showformat='${Package}\t${Version}\t${Architecture}\n'
. /etc/os-release
echo $VERSION_ID
"""
#: Of the interpreter's version, where it is no package of Debian's.
INTERPRETER = r"""
python=$(command -v python) || exit 0
dpkg-query --search "$(readlink --canonicalize "$python")" >/dev/null 2>&1 ||
    python -c 'import platform; print(platform.python_version())'
"""
#: Of the environment that it runs in, and of the interpreter's own folder beneath.
PYTHON = """
import sys, sysconfig
from importlib.metadata import distributions
beneath = sysconfig.get_path("purelib", "posix_prefix", {"base": sys.base_prefix})
for found in distributions(path=[*sys.path, beneath]):
    print(found.name, found.version, found.metadata.get("License-Expression", ""), sep="\\t")
"""


def main() -> None:
    match sys.argv[1:]:
        case ["package", version, lock]:
            subject = Component(
                name="etlpipeline",
                version=version,
                type=ComponentType.APPLICATION,
                purl=(purl := PackageURL("pypi", name="etlpipeline", version=version)),
                bom_ref=str(purl),
                licenses=[LicenseExpression("Apache-2.0")],
            )
            print(bom(subject, locked(Path(lock).read_text())))
        case ["image", version, reference]:
            name = reference.split("@")[0].removesuffix(f":{version}")
            subject = Component(name=name, version=version, type=ComponentType.CONTAINER, bom_ref=reference)
            print(bom(subject, in_image(reference)))
        case _:
            sys.exit(__doc__)


def bom(subject: Component, parts: Iterable[Component]) -> str:
    """The same for the same parts and SOURCE_DATE_EPOCH."""
    bom = Bom(components=parts, serial_number=uuid.uuid5(uuid.NAMESPACE_URL, f"{subject.name}:{subject.version}"))
    bom.metadata.component = subject
    bom.metadata.timestamp = datetime.fromtimestamp(int(os.environ["SOURCE_DATE_EPOCH"]), UTC)
    bom.register_dependency(subject, bom.components)
    return JsonV1Dot6(bom).output_as_string(indent=2)


def locked(lock: str) -> Iterator[Component]:
    return (_python(name, version) for name, version in PIN.findall(lock))


def in_image(reference: str) -> Iterator[Component]:
    *packages, release = _in_container(reference, "sh", "-c", DEBIAN)
    for line in packages:
        name, version, architecture = line.split("\t")
        wherefrom = {"arch": architecture, "distro": f"debian-{release}"}
        purl = PackageURL("deb", "debian", name, version, wherefrom)
        yield Component(name=name, version=version, purl=purl, bom_ref=str(purl))
    for version in _in_container(reference, "sh", "-c", INTERPRETER):
        purl = PackageURL("generic", name="python", version=version)
        yield Component(name="python", version=version, purl=purl, bom_ref=str(purl))
    if _in_container(reference, "sh", "-c", "command -v python || true"):
        for line in sorted(set(_in_container(reference, "python", "-c", PYTHON))):
            yield _python(*line.split("\t"))


def _python(name: str, version: str, license: str = "") -> Component:
    purl = PackageURL("pypi", name=name.lower().replace("_", "-"), version=version)
    licenses = [LicenseExpression(license)] if license else []
    return Component(name=name, version=version, purl=purl, bom_ref=str(purl), licenses=licenses)


def _in_container(image: str, command: str, *arguments: str) -> list[str]:
    docker = ["docker", "run", "--rm", "--network=none", f"--entrypoint={command}", image, *arguments]
    return subprocess.run(docker, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()


if __name__ == "__main__":
    main()
