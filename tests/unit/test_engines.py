"""Which engine fits, and that the other one is not even loaded."""

import subprocess
import sys

import pytest

from mangrove.api import fit_spectrum
from mangrove.config import Fit
from mangrove.errors import ConfigError
from mangrove.notebook import spectrum_fit

CODE = """
import sys
from mangrove.spectra.fit import engines
from mangrove.spectra.fit.{room} import {module}
{module}.fit_all = lambda *given, **more: (given, more)
print(engines.fit_all({engine!r}, "galaxy", ["spectrum"], 1))
print(*sorted(name for name in sys.modules if name.startswith("mangrove.spectra.fit.")))
"""


@pytest.mark.parametrize(
    ("engine", "room", "module", "other"),
    [("ppxf", "ppxf", "pool", "batched"), ("batched", "batched", "engine", "ppxf")],
)
def test_only_the_engine_that_is_asked_for_is_loaded(engine, room, module, other):
    code = CODE.format(engine=engine, room=room, module=module)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    given, loaded = done.stdout.splitlines()
    assert given.startswith("(('galaxy', ['spectrum']")
    assert f"fit.{room}.{module}" in loaded and f"fit.{other}." not in loaded


class Asked(Exception):
    """Stands for a fit: its text is the engine."""


def ask(engine, *_):
    raise Asked(engine)


@pytest.mark.parametrize(
    ("options", "engine"), [({}, Fit().engine), ({"engine": "batched"}, "batched"), ({"engine": "ppxf"}, "ppxf")]
)
def test_a_spectrum_is_fitted_by_the_engine_of_the_configuration_or_another(monkeypatch, options, engine):
    monkeypatch.setattr(spectrum_fit, "fit_all", ask)
    wave = [4800.0 * 1.0002**i for i in range(400)]
    ones = [1.0] * 400
    with pytest.raises(Asked, match=engine):
        fit_spectrum(wave, ones, ones, 0.01, lsf=1.0, rest_range=[4800.0, 5100.0], **options)


def test_an_unknown_engine_is_refused():
    with pytest.raises(ConfigError, match=r"fit\.engine"):
        fit_spectrum([1.0, 2.0], [1.0, 1.0], [1.0, 1.0], 0.01, lsf=1.0, engine="fastppxf")
