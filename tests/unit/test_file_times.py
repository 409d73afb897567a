"""Files from the future come back, in their order, and nothing else changes."""

import os
import time

from mangrove.file_times import bring_back

HOUR = 3600 * 10**9


def test_files_from_the_future_come_back_in_their_order(tmp_path):
    now = time.time_ns()
    stamps = {"old": -HOUR, "later": 2 * HOUR, "soon": HOUR, "inner/last": 9 * HOUR, "as later": 2 * HOUR}
    (tmp_path / "inner").mkdir()
    for name, ahead in stamps.items():
        (tmp_path / name).write_text(name)
        os.utime(tmp_path / name, ns=(now, now + ahead))
    elsewhere = tmp_path.with_name("elsewhere")
    elsewhere.write_text("another's")
    os.utime(elsewhere, ns=(now, now + HOUR))
    (tmp_path / "link").symlink_to(elsewhere)
    os.utime(tmp_path / "link", ns=(now, now + 3 * HOUR), follow_symlinks=False)
    assert bring_back([tmp_path, tmp_path / "missing"]) == 5
    found = {name: os.lstat(tmp_path / name).st_mtime for name in [*stamps, "link"]}
    assert found["old"] < found["soon"] < found["later"] == found["as later"] < found["link"] < found["inner/last"]
    assert found["inner/last"] <= time.time() and found["soon"] > now / 1e9 - 1
    assert (tmp_path / "old").stat().st_mtime_ns == now - HOUR
    assert elsewhere.stat().st_mtime_ns == now + HOUR
    assert bring_back([tmp_path]) == 0
