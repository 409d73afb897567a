"""Whether the installation is that of the lock, and what JAX computes on."""

import json
import os
import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

import mangrove.resources
from mangrove import gpu
from mangrove.doctor.findings import Examined, Finding, counted, python, shell
from mangrove.doctor.patients import Patients
from mangrove.errors import MangroveError
from mangrove.resources import resource

#: The lock, from the working folder.
LOCK = Path("envs/requirements.txt")
#: Versions of Python that the lock is resolved for (pyproject.toml).
PYTHONS = ((3, 11), (3, 13))
#: A pinned package: name, version, and whether it is for some machines alone.
_PIN = re.compile(r"^([A-Za-z0-9][\w.-]*)==([^\s;\\]+)([ \t]*;[^\\\n]*)?", re.MULTILINE)
#: What travels with the package, by name.
_RESOURCES = ("lines.ecsv", "mastar_ssp.h5", "sdss_r.ecsv")
#: Longest wait for JAX to name its devices, s: drivers that are damaged let it hang.
_PATIENCE = 60.0
_ASK_JAX = """
import json, jax
print(json.dumps([[d.platform, d.device_kind, (d.memory_stats() or {}).get("bytes_limit", 0)] for d in jax.devices()]))
"""


def environment(patients: Patients) -> Examined:
    """The packages against the lock, the version of Python, and the files that travel with the package."""
    current = "Python " + ".".join(map(str, sys.version_info[:3]))
    findings = [*_wrong_python(), *_missing_resources()]
    if not LOCK.is_file():
        return Examined(f"{current}; no {LOCK} here to compare the packages with", tuple(findings))
    pins = _PIN.findall(LOCK.read_text(encoding="utf-8"))
    wrong = [text for name, pinned, some in pins if (text := _difference(name, pinned, bool(some)))]
    if wrong:
        few = ", ".join(wrong[:6]) + (f" and {len(wrong) - 6} more" if len(wrong) > 6 else "")
        findings.append(
            Finding(f"{counted(len(wrong), 'package')} not as in {LOCK}: {few}. Install what it pins:", _install())
        )
    return Examined(f"{current}, {counted(len(pins), 'package')} in {LOCK}", tuple(findings))


def devices(patients: Patients) -> Examined:
    """What JAX computes on, asked in a process of its own."""
    listed, problem = _ask_jax()
    if problem:
        return Examined("JAX does not start", (problem,))
    words = [
        f"{kind if platform == 'cpu' else f'{platform} {kind}'}" + (f", {memory / 1e9:.0f} GB" if memory else "")
        for platform, kind, memory in listed
    ]
    return Examined(f"JAX computes on {'; '.join(words)}", tuple(_unused_gpu({one[0] for one in listed})))


def bring_back(resources: list[str]) -> str:
    """The command that restores files of ``resources/``; empty where the package is not in a clone of its own."""
    clone = Path(mangrove.resources.__file__).resolve().parents[2]
    if not (clone / ".git").exists():
        return ""
    return shell("git", "-C", clone, "checkout", "--", *(f"resources/{name}" for name in resources))


def _wrong_python() -> list[Finding]:
    low, high = PYTHONS
    if low <= sys.version_info[:2] <= high:
        return []
    return [
        Finding(
            f"this Python is not {low[0]}.{low[1]} to {high[0]}.{high[1]}, for which the lock is resolved. Make the environment "
            "with one that is (docs/troubleshooting.md: 'make env stops in pip')."
        )
    ]


def _missing_resources() -> list[Finding]:
    missing = []
    for name in _RESOURCES:
        try:
            resource(name)
        except MangroveError:
            missing.append(name)
    if not missing:
        return []
    return [Finding(f"files of the package are missing: {', '.join(missing)}. Bring them back:", bring_back(missing))]


def _difference(name: str, pinned: str, for_some: bool) -> str:
    """How a package differs from the lock; empty if it does not. Packages for some machines may be absent."""
    try:
        found = version(name)
    except PackageNotFoundError:
        return "" if for_some else f"{name} is missing"
    return "" if found == pinned else f"{name} {found} instead of {pinned}"


def _install() -> str:
    if find_spec("pip"):
        return shell(python(), "-m", "pip", "install", "--require-hashes", "-r", LOCK)
    return shell("uv", "pip", "install", "--python", python(), "--require-hashes", "-r", LOCK)


def _ask_jax() -> tuple[list, Finding | None]:
    """The devices of JAX as platform, kind and bytes; or why it does not start."""
    env = os.environ | {"XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
    try:
        done = subprocess.run(
            [sys.executable, "-c", _ASK_JAX], env=env, capture_output=True, text=True, timeout=_PATIENCE
        )
    except subprocess.TimeoutExpired:
        return [], Finding(
            f"JAX has not named its devices in {_PATIENCE:.0f} s: the driver of the GPU hangs. Compute without it:",
            "export JAX_PLATFORMS=cpu",
        )
    if done.returncode == 0:
        return json.loads(done.stdout.splitlines()[-1]), None
    said = (done.stderr.strip().splitlines() or ["no message"])[-1]
    asked = os.environ.get("JAX_PLATFORMS")
    if asked:
        return [], Finding(f"JAX_PLATFORMS is {asked}, and JAX says: {said}. Let JAX choose:", "unset JAX_PLATFORMS")
    return [], Finding(f"JAX cannot be started: {said}. Install what the lock pins:", _install())


def _unused_gpu(platforms: set[str]) -> list[Finding]:
    """A GPU of this computer that JAX does not compute on."""
    there = [path for path in gpu.DEVICES if Path(path).exists()]
    if not there or platforms != {"cpu"}:
        return []
    for name, value in (("JAX_PLATFORMS", "cpu"), ("CUDA_VISIBLE_DEVICES", "")):
        if os.environ.get(name) == value:
            shown = f"{name}={value}"
            return [
                Finding(f"there is a GPU ({there[0]}), which {shown} keeps from JAX.", f"unset {name}", stops=False)
            ]
    return [
        Finding(
            f"there is a GPU ({there[0]}), but this JAX is for CPUs. For CUDA 13 (others: docs/gpu.md):",
            shell(python(), "-m", "pip", "install", f"jax[cuda13]=={version('jax')}"),
            stops=False,
        )
    ]
