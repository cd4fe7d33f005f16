"""What is installed is all that the packages hold."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_wheel_holds_every_file_of_the_packages_and_of_the_page(tmp_path):
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)

    (wheel,) = tmp_path.glob("etlpipeline-*.whl")
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}

    folders = ("service", "operator")
    code = {str(file.relative_to(ROOT / folder)) for folder in folders for file in files_in(ROOT / folder)}
    page = {f"etl_service/{file.relative_to(ROOT)}" for file in files_in(ROOT / "frontend") if served(file)}
    assert packed == code | page
    assert {"etl_service/py.typed", "etl_operator/py.typed"} <= packed


def files_in(folder):
    return [file for file in folder.rglob("*") if file.is_file() and "__pycache__" not in file.parts]


def served(file):
    """A part of the page: what Nginx and Node are told about it is not."""
    return "nginx" not in file.parts and file.name != "package.json"
