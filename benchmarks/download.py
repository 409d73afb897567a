"""Rate of a verified download beside curl's on the same loopback server: as fast as it goes, and on a 1 Gbit/s line.

python benchmarks/download.py

curl checks nothing, so what bounds us on an unlimited loopback is unpacking on one core, which is printed too. On a line
of 1 Gbit/s, more than an archive gives, the unpacking hides behind the transfer.
"""

import multiprocessing
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np
from astropy.io import fits
from isal import igzip
from support.results import median_seconds, print_result, seconds

from mangrove.survey.archive.download import fetch
from mangrove.survey.archive.integrity import Wanted, check

REPEATS = 5
SIDE, N_WAVE = 58, 4563
#: Bytes per second of a line of 1 Gbit/s.
GIGABIT = 125e6
#: Smallest rate on that line, over curl's.
LEAST_RATIO = 0.8
_STEP = 1 << 18

report = partial(print_result, "download")


def main() -> int:
    """Print the results as JSON lines; 1 if we are too slow on the line of 1 Gbit/s."""
    with tempfile.TemporaryDirectory() as folder:
        cube, target = Path(folder, "cube.fits.gz"), Path(folder, "arrived.fits.gz")
        write_cube(cube)
        mb = cube.stat().st_size / 1e6
        report("size of the cube, gzip", mb, "MB")
        unpacking = median_seconds(REPEATS, check_file, cube)
        report(f"verification alone, one core, median of {REPEATS}", mb / unpacking, "MB/s")
        for name, rate, peer in (
            ("loopback, unlimited, beside curl", None, curl),
            ("loopback, unlimited, beside curl and gzip -t", None, curl_and_test),
            ("loopback at 1 Gbit/s, beside curl", GIGABIT, curl),
        ):
            ours, theirs = compare(cube, target, rate, peer)
            report(f"verified download, {name}, median of {REPEATS}", mb / ours, "MB/s", mb / theirs)
    # The last row is that of the line.
    return int(theirs / ours < LEAST_RATIO)


def compare(cube: Path, target: Path, rate: float | None, peer) -> tuple[float, float]:
    """Median seconds of a fetch and of its peer, in turns, from one server."""
    url, server = start_server(cube, rate)
    try:
        pairs = [(seconds(fetch, url, target, "8485-1901"), seconds(peer, url, target)) for _ in range(REPEATS)]
    finally:
        server.terminate()
        server.join()
    ours, theirs = (statistics.median(times) for times in zip(*pairs, strict=True))
    return ours, theirs


def write_cube(path: Path) -> None:
    """A LOGCUBE that packs like a real one: noise in a hexagonal field, zeros around it, checksums in every HDU."""
    rng = np.random.default_rng(1)
    y, x = np.abs(np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2) / (SIDE / 2)
    field = (x < 0.87) & (y + x / np.sqrt(3) < 1)
    shape, n = (N_WAVE, SIDE, SIDE), int(field.sum())
    slope = np.linspace(1.0, 1.3, N_WAVE)[:, None]
    contents = {
        "FLUX": slope * rng.normal(1.0, 0.3, (N_WAVE, n)),
        "IVAR": slope * rng.gamma(9.0, 1.0, (N_WAVE, n)),
        "MASK": np.zeros((N_WAVE, n)),
        "LSFPOST": slope * rng.normal(1.2, 0.01, n),
        "LSFPRE": slope * rng.normal(1.1, 0.01, n),
    }
    hdus = fits.HDUList([fits.PrimaryHDU()])
    hdus[0].header["PLATEIFU"] = "8485-1901"
    for name, values in contents.items():
        data = np.full(shape, 3, ">i4") if name == "MASK" else np.zeros(shape, ">f4")
        data[:, field] = values
        hdus.append(fits.ImageHDU(data, name=name))
    for hdu in hdus:
        hdu.add_checksum()
    with igzip.open(path, "wb", 3) as packed:
        hdus.writeto(packed)


def check_file(path: Path) -> None:
    """The verification, of a file on disk."""
    with path.open("rb") as f:
        check(f, Wanted("8485-1901"))


def curl(url: str, target: Path) -> None:
    """The same download by curl, which looks at nothing but the length."""
    subprocess.run(["curl", "--silent", "--fail", "--output", str(target), url], check=True)


def curl_and_test(url: str, target: Path) -> None:
    """What a careful person does by hand."""
    curl(url, target)
    subprocess.run(["gzip", "--test", str(target)], check=True)


def start_server(path: Path, rate: float | None) -> tuple[str, multiprocessing.Process]:
    """A process that sends the file to whoever asks, at most at so many bytes per second."""
    listening = socket.create_server(("127.0.0.1", 0))
    process = multiprocessing.get_context("fork").Process(target=serve, args=(listening, path, rate), daemon=True)
    process.start()
    url = f"http://127.0.0.1:{listening.getsockname()[1]}/{path.name}"
    listening.close()
    return url, process


def serve(listening: socket.socket, path: Path, rate: float | None) -> None:
    """One connection after the other; the kernel copies from the page cache."""
    size = path.stat().st_size
    head = f'HTTP/1.1 200 OK\r\nContent-Length: {size}\r\nETag: "1"\r\nConnection: close\r\n\r\n'.encode()
    while True:
        connection, _ = listening.accept()
        with connection, path.open("rb") as f:
            connection.recv(1 << 16)
            connection.sendall(head)
            start, sent = time.perf_counter(), 0
            while sent < size:
                sent += os.sendfile(connection.fileno(), f.fileno(), sent, _STEP if rate else size - sent)
                if rate:
                    time.sleep(max(0.0, start + sent / rate - time.perf_counter()))


if __name__ == "__main__":
    sys.exit(main())
