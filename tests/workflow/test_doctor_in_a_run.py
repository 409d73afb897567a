"""What the doctor says of a run that was killed and copied about, and its commands pasted into a shell."""

import re
import shutil
import subprocess
from base64 import urlsafe_b64encode
from pathlib import Path

from conftest import Workspace

CURVE = "results/tiny/emulator/learning_curve.h5"
CHECKS = ("config", "archive", "locks", "leftovers", "artefacts")


def test_pasted_commands_mend_a_broken_run(finished, tmp_path):
    """A lock, an output that was being written, and one made by other code; afterwards nothing is left to do."""
    broken = Workspace(Path(shutil.copytree(finished.folder, tmp_path / "broken", symlinks=True)))
    script = broken.folder / "workflow/scripts/emulator_learning_curve.py"
    script.write_text(
        script.read_text(encoding="utf-8").replace("def main(", "ANOTHER = 1\n\n\ndef main("), encoding="utf-8"
    )
    broken.write(".snakemake/locks/0.output.lock", f"{CURVE}\n")
    broken.write(f".snakemake/incomplete/{urlsafe_b64encode(CURVE.encode()).decode()}", "")
    ill = broken.mangrove("doctor", *CHECKS)
    assert ill.returncode == 1, ill.stdout
    unlock, remake, force = [line.strip() for line in ill.stdout.splitlines() if re.match("  .*snakemake --", line)]
    assert unlock.endswith("snakemake --unlock --configfile configs/tiny.yaml")
    assert f"--rerun-incomplete {CURVE}" in remake and "--forcerun emulator_learning_curve" in force
    assert "holds 1 result that would be made differently now (emulator_learning_curve: code)" in ill.stdout
    text = "\n".join(["set -e", unlock, remake, force])
    pasted = subprocess.run(["bash", "-c", text], **broken.process(), timeout=300)
    assert pasted.returncode == 0, pasted.stdout
    well = broken.mangrove("doctor", *CHECKS)
    assert well.returncode == 0 and well.stdout.endswith("nothing to fix\n"), well.stdout
    assert [line for line in well.stdout.splitlines() if line.startswith("-")] == []
    assert broken.planned().rules == {}
