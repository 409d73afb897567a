"""What the user chooses about a fit."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from mangrove.spectra.fit.bounds import BROADENING_ROOM
from mangrove.spectra.fit.component_names import BROAD


class Guide(NamedTuple):
    """Stellar kinematics of a spectrum, known from elsewhere.

    Attributes
    ----------
    v, v_err, sigma, sigma_err : float
        Velocity and dispersion with errors, km/s; the dispersion is that by which templates are broadened.
    half_width : float
        The fit stays within so many km/s of both; 0: it takes them as they are.
    """

    v: float
    v_err: float
    sigma: float
    sigma_err: float
    half_width: float


class ContinuumSettings(NamedTuple):
    """What shapes the stellar continuum besides the populations.

    Attributes
    ----------
    attenuation : bool
        Whether E(B-V) is fitted (Calzetti et al. 2000), between 0 and :data:`mangrove.spectra.fit.bounds.MAX_EBV`.
    degree : int
        Of the multiplicative polynomial.
    calibration_error : float
        Expected size of its coefficients, a Gaussian prior; 0 for none.
    regularisation : float
        As pPXF's ``regul``: the inverse of the expected second difference between the light of neighbouring
        templates, in units of the median flux; 0 for none.
    """

    attenuation: bool
    degree: int
    calibration_error: float
    regularisation: float


class FitSettings(NamedTuple):
    """What the user chooses about a fit (see the section ``fit`` of the configuration)."""

    rest_range: tuple[float, float] = (3650.0, 7400.0)
    polynomial_degree: int = 8
    sky_half_width: float = 8.0
    velocity_bound: float = 1000.0
    min_good_fraction: float = 0.5
    rescale_noise: bool = False
    attenuation: str = "calzetti"
    calibration_error: float = 0.01
    regularisation: float = 0.0
    clip_sigma: float = 5.0
    n_draw: int = 16
    age_limit: bool = True
    stellar_kinematics: str = "free"
    bright_snr: float = 20.0
    kinematics_range: float = 100.0
    gas_components: int = 1
    broad_lines: bool = False

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> "FitSettings":
        """The settings from a rule's params or the attributes of an artefact 'fit', which have the same names."""
        chosen = {name: params[name] for name in cls._fields}
        return cls(**chosen | {"rest_range": tuple(params["rest_range"])})

    @property
    def reach(self) -> float:
        """Templates must reach so far beyond the fitted range, km/s: all velocities, and room for broadening."""
        return self.velocity_bound + BROADENING_ROOM

    @property
    def n_component(self) -> int:
        """Components of the gas for which a result has room (:data:`mangrove.spectra.fit.component_names.COMPONENTS`)."""
        return BROAD + 1 if self.broad_lines else self.gas_components

    @property
    def continuum(self) -> ContinuumSettings:
        """What shapes the stellar continuum."""
        dust = self.attenuation == "calzetti"
        return ContinuumSettings(
            dust, self.polynomial_degree, self.calibration_error if dust else 0.0, self.regularisation
        )
