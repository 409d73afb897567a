"""The configuration: its models, defaults and checks. The default file, the schema and the docs come from here."""

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from mangrove import paths

RUN_NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"
#: Type of the errors of rules between keys.
CONFLICT = "conflict"
#: Type of the errors of a truth value in a key of another type.
NOT_BOOLEAN = "not_boolean"
#: A number whose digits underscores divide.
_GROUPED = re.compile(r"[-+]?[0-9.]+_[0-9_.]*([eE][-+]?[0-9_]+)?")


def rising_wavelengths(value: list[float]) -> list[float]:
    """The two wavelengths, if they are above 0 and the second is the larger one.

    Raises
    ------
    ValueError
        If they are not.
    """
    if value[0] <= 0:
        raise ValueError(f"wavelengths must be above 0; the lower end is {value[0]:g}")
    if value[0] >= value[1]:
        raise ValueError(f"the lower end {value[0]:g} must be below the upper end {value[1]:g}")
    return value


#: Two wavelengths.
Range = Annotated[list[float], Field(min_length=2, max_length=2), AfterValidator(rising_wavelengths)]
#: A path on this machine, and one that may also be an address on a server; the rule is that of :mod:`mangrove.paths`.
LocalPath = Annotated[str, AfterValidator(paths.local)]
Address = Annotated[str, AfterValidator(paths.address)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", validate_default=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _underscores_are_in_no_number(cls, value, info):
        """pydantic takes 1_5 for 15, which other readers of YAML take for text."""
        given = value if isinstance(value, list) else [value]
        is_text = cls.model_fields[info.field_name].annotation in (str, list[str])
        if not is_text and any(isinstance(v, str) and _GROUPED.fullmatch(v.strip()) for v in given):
            raise PydanticCustomError("underscore", "must be a number without underscores")
        return value

    @field_validator("*", mode="before")
    @classmethod
    def _true_is_no_number(cls, value, info):
        """pydantic takes true for 1 in every key of a number."""
        given = value if isinstance(value, list) else [value]
        if cls.model_fields[info.field_name].annotation is not bool and any(isinstance(v, bool) for v in given):
            raise PydanticCustomError(NOT_BOOLEAN, "must be a value of its own, not true or false")
        return value


def _conflict(message: str, keys: list[str], mend: tuple[str, object]) -> PydanticCustomError:
    """The error of a rule between keys.

    Parameters
    ----------
    message : str
        What is wrong, without a full stop.
    keys : list of str
        The keys that disagree, with their sections: 'sample.z_min'.
    mend : tuple
        A key, with its section, and a value that would do.
    """
    return PydanticCustomError(CONFLICT, message, {"keys": keys, "mend": mend})


class Survey(_Section):
    """Where the cubes come from."""

    source: Literal["sdss", "simulated", "files", "none"] = Field(
        "sdss",
        description="sdss: the SDSS archive or a mirror of it; simulated: mangrove's own survey; files: paths in the sample sheet; none: no cubes, the emulator on a table alone",
    )
    release: Literal["dr15", "dr17"] = Field(
        "dr17", description="data release; sets the layout of the archive and of the cubes"
    )
    base: Address = Field(
        "https://data.sdss.org/",
        description="address above sas/, or the folder of the files: https://, file:// or a path",
    )
    mirror: LocalPath = Field(
        "",
        description="local folder (path or file://) with the archive's layout, looked in before base; empty: none",
    )
    timeout: float = Field(
        60.0, gt=0, description="seconds without data, or below 10 kB/s, after which a download is tried again"
    )
    keep_cubes: bool = Field(
        True,
        description="keep cubes in data_folder, shared by runs; false: deleted after use, downloaded again when extract changes",
    )
    link: bool = Field(False, description="link to local cubes (file:// or a path) instead of copying them")
    data_folder: LocalPath = Field(
        "data", min_length=1, description="folder of the kept cubes, one level per DRP version"
    )

    @model_validator(mode="after")
    def _somewhere(self):
        if self.source in ("sdss", "files") and not self.base.strip():
            raise _conflict(
                f"survey.source is {self.source}, so survey.base must say where the cubes are",
                ["survey.base", "survey.source"],
                ("survey.base", Survey.model_fields["base"].default if self.source == "sdss" else "."),
            )
        return self


class Sample(_Section):
    """Which galaxies."""

    sheet: LocalPath = Field("", description="sample sheet; empty: samples/<run>.tsv")
    limit: int | None = Field(None, ge=1, description="use only the first so many galaxies of the sheet")
    plateifus: list[str] = Field([], description="use only these galaxies of the sheet; empty: all")
    z_min: float = Field(0.0, ge=0, description="mangrove select: redshift above this")
    z_max: float = Field(0.15, gt=0, le=1, description="mangrove select: redshift below this")
    desom_z_max: float = Field(
        0.15, gt=0, description="mangrove select: redshift below this for the maps of spectra (column desom)"
    )
    convlstm_z_max: float = Field(
        0.08, gt=0, description="mangrove select: redshift below this for the line-cube networks (column convlstm)"
    )
    drop_critical: bool = Field(
        True,
        description="leave out cubes with the CRITICAL quality bit (30); one listed all the same gives an empty artefact",
    )
    agn: Address = Field(
        "", description="mangrove select: AGN catalogue, an address, a path, or a path below survey.base; empty: none"
    )
    morphology: Address = Field("", description="mangrove select: catalogue of Hubble types, likewise; empty: none")

    @model_validator(mode="after")
    def _rising_redshifts(self):
        if self.z_min >= self.z_max:
            raise _conflict(
                f"sample.z_min {self.z_min:g} must be below sample.z_max {self.z_max:g}",
                ["sample.z_min", "sample.z_max"],
                ("sample.z_min", 0.0),
            )
        return self


class Extract(_Section):
    """From a cube to baxels."""

    engine: Literal["powerbin", "vorbin"] = Field(
        "powerbin",
        description="powerbin: covariance inside the binning; vorbin: the published engine, covariance afterwards",
    )
    target_snr: float = Field(20.0, gt=0, description="signal to noise per pixel of a bin")
    min_snr: float = Field(2.0, ge=0, description="spaxels below this signal to noise are left out")
    continuum_range: Range = Field([5600.0, 6750.0], description="observed range of signal and noise, Angstrom")
    covariance: Literal["manga", "none"] | Annotated[float, Field(ge=1)] = Field(
        "manga",
        description="noise of a bin over its quadrature sum: manga (1 + 1.62 log10 n up to 100 spaxels), none, or a factor for n >= 100",
    )
    window_pixels: int = Field(10, ge=2, le=50, description="wavelength pixels per line of the line windows")


class Fit(_Section):
    """Stars and gas by pPXF."""

    templates: LocalPath = Field(
        "mastar",
        description="library of stellar populations: mastar (embedded), or a path: HDF5, npz of pPXF, or a folder of MILES FITS files (docs/labels.md)",
    )
    rest_range: Range = Field([3650.0, 7400.0], description="fitted rest-frame range, Angstrom, vacuum")
    attenuation: Literal["calzetti", "polynomial"] = Field(
        "calzetti",
        description="calzetti: dust of the stars by its curve, then the polynomial; polynomial: dust from the polynomial's shape, as published",
    )
    polynomial_degree: int = Field(8, ge=0, le=30, description="degree of the multiplicative polynomial")
    calibration_error: float = Field(
        0.01,
        ge=0,
        description="expected size of the polynomial's coefficients beside a dust curve (flux calibration); 0: no limit",
    )
    regularisation: float = Field(
        0.0, ge=0, description="smoothness of the weights over age and [M/H], as pPXF's regul; 0: none"
    )
    age_limit: bool = Field(True, description="no population older than the universe at the galaxy's redshift")
    clip_sigma: float = Field(
        5.0, ge=0, description="pixels away from lines with larger residuals, in robust sigma, are left out; 0: none"
    )
    n_draw: int = Field(
        16, ge=2, le=200, description="noisy copies of each fit's model, from which the errors of the populations come"
    )
    sky_half_width: float = Field(8.0, ge=0, description="half width of the masks on sky lines, Angstrom, observed")
    ebv_scale: float = Field(1.0, ge=0, description="factor on the Galactic E(B-V): 1 published, 0.86 recalibrated")
    rescale_noise: bool = Field(
        False, description="scale the errors by the robust residual of a first fit (formal variances too small)"
    )
    velocity_bound: float = Field(1000.0, gt=0, description="largest velocity from the catalogue redshift, km/s")
    min_good_fraction: float = Field(
        0.5, gt=0, le=1, description="smallest fraction of good pixels in the fitted range"
    )
    stellar_kinematics: Literal["free", "bounded", "fixed"] = Field(
        "free",
        description="of baxels below bright_snr: free; bounded: near those of the nearest brighter baxel; fixed: taken from it",
    )
    bright_snr: float = Field(
        20.0, gt=0, description="signal to noise from which a baxel's stellar kinematics guide others"
    )
    kinematics_range: float = Field(100.0, gt=0, description="half width of the bounds with bounded, km/s")
    gas_components: Literal[1, 2] = Field(
        1,
        description="Gaussians that each emission line may have; of two, the second is used where it lowers the BIC by 10 (docs/labels.md)",
    )
    broad_lines: bool = Field(
        False, description="a broad component of the Balmer lines beside them, used by the same criterion"
    )


class TrainingSpectra(_Section):
    """Normalised rest-frame spectra."""

    rest_range: Range = Field([3650.0, 8950.0], description="rest-frame range, Angstrom, vacuum")
    n_wave: int = Field(4544, ge=64, description="number of log-spaced bins; a multiple of 2^6")
    norm_band: Range = Field([4050.0, 4150.0], description="rest-frame band whose mean flux becomes 1, Angstrom")
    min_good_fraction: float = Field(
        0.8583, gt=0, le=1, description="smallest fraction of good bins (published 3900 of 4544)"
    )
    min_snr: float = Field(10.0, ge=0, description="smallest signal to noise per native pixel")
    cut_percentile: float = Field(
        0.5, ge=0, lt=50, description="percentile of lowest minima and of highest maxima that is removed"
    )
    galactic_extinction: bool = Field(
        True, description="remove Galactic extinction, so that sky position leaves no mark on the shape"
    )
    validation_fraction: float = Field(0.1, ge=0, lt=1, description="part of the galaxies for validation")
    test_fraction: float = Field(0.2, ge=0, lt=1, description="part of the galaxies for the test")

    @field_validator("n_wave")
    @classmethod
    def _poolable(cls, value: int) -> int:
        if value % 64:
            raise ValueError(f"{value} is no multiple of 64; the nearest is {max(64, round(value / 64) * 64)}")
        return value

    @model_validator(mode="after")
    def _inside(self):
        low, high = self.rest_range
        if not (low <= self.norm_band[0] and self.norm_band[1] <= high):
            raise _conflict(
                f"training_spectra.norm_band {self.norm_band} must lie inside training_spectra.rest_range {self.rest_range}",
                ["training_spectra.norm_band", "training_spectra.rest_range"],
                ("training_spectra.norm_band", [round(low + 0.45 * (high - low)), round(low + 0.55 * (high - low))]),
            )
        if self.validation_fraction + self.test_fraction >= 1:
            raise _conflict(
                "training_spectra.validation_fraction + training_spectra.test_fraction must be below 1: "
                f"they are {self.validation_fraction:g} + {self.test_fraction:g}",
                ["training_spectra.validation_fraction", "training_spectra.test_fraction"],
                ("training_spectra.test_fraction", 0.2 * (1 - self.validation_fraction)),
            )
        return self


class LineCube(_Section):
    """Emission-line cubes."""

    size: int = Field(32, ge=8, description="spaxels on a side, centred on the object")


class EmulatorSection(_Section):
    """Emission lines from the shape of the stellar continuum."""

    enabled: bool = Field(True, description="train and judge the emulator in this run")
    source: Literal["baxels", "desi"] = Field(
        "baxels", description="what it learns from: the run's own baxels, or a prepared table of DESI galaxies"
    )
    desi_file: LocalPath = Field(
        "", description="source desi: the table (HDF5), prepared or written by mangrove desi-table (docs/emulator.md)"
    )
    luminosity: bool = Field(
        True, description="use the continuum luminosity beside the colours where the table has one; baxels have none"
    )
    bin_range: Range = Field(
        [3400.0, 7000.0],
        description="rest-frame range of the bins of baxels, Angstrom; bins beyond the data are left out",
    )
    n_bin: int = Field(12, ge=3, le=100, description="number of these bins")
    architecture: Literal["shared", "per_line"] = Field(
        "shared", description="shared: one network for all lines; per_line: the published network of each line"
    )
    hidden: list[Annotated[int, Field(ge=1)]] = Field([128, 128], description="hidden layers of the shared network")
    n_component: int = Field(2, ge=1, le=5, description="Gaussians per line of the shared network")
    members: int = Field(4, ge=1, le=16, description="networks of the ensemble")
    batch_size: int = Field(512, ge=1, description="rows per step; all of them where there are fewer")
    epochs: int = Field(20, ge=1, description="passes over the training rows")
    learning_rate: float = Field(3e-3, gt=0, description="largest learning rate of AdamW")
    weight_decay: float = Field(1e-4, ge=0, description="weight decay of AdamW")
    patience: int | None = Field(None, ge=1, description="stop after so many epochs without a lower validation loss")
    keep_best: bool = Field(
        True,
        description="keep the epoch of the lowest validation loss; false: the last one, where too few galaxies are left for validation to judge by",
    )
    learning_curve: list[Annotated[float, Field(gt=0, le=1)]] = Field(
        [0.03, 0.1, 0.3, 1.0], description="parts of the training rows of the learning curve; empty: no curve"
    )


class Report(_Section):
    """The report."""

    truth_spectra: int = Field(
        16, ge=8, description="simulated survey: spectra of known populations per case of the table of truth"
    )
    truth_library: LocalPath = Field(
        "", description="simulated survey: another template library (a path) for spectra that the fit cannot match"
    )
    examples: int = Field(6, ge=0, le=20, description="galaxies that are shown one by one")


class Config(_Section):
    """One run of mangrove."""

    run: str = Field("dr17", pattern=RUN_NAME, description="name of the run; results go to results/<run>/")
    seed: int = Field(1, ge=0, description="seed of every random draw, together with the galaxy's name")
    survey: Survey = Survey()
    sample: Sample = Sample()
    extract: Extract = Extract()
    fit: Fit = Fit()
    training_spectra: TrainingSpectra = TrainingSpectra()
    line_cube: LineCube = LineCube()
    emulator: EmulatorSection = EmulatorSection()
    report: Report = Report()

    @model_validator(mode="after")
    def _something_to_do(self):
        emulator = self.emulator
        if emulator.enabled and emulator.source == "desi" and not emulator.desi_file:
            raise _conflict(
                "emulator.source is desi, so emulator.desi_file must name the table",
                ["emulator.source", "emulator.desi_file"],
                ("emulator.desi_file", "data/real/desi/desi_sv3_continuum_ew.h5"),
            )
        if self.survey.source == "none" and not emulator.enabled:
            raise _conflict(
                "survey.source is none, so emulator.enabled must be true: nothing else runs without cubes",
                ["survey.source", "emulator.enabled"],
                ("emulator.enabled", True),
            )
        if self.survey.source == "none" and emulator.source != "desi":
            raise _conflict(
                "survey.source is none, so emulator.source must be desi: nothing else runs without cubes",
                ["survey.source", "emulator.source"],
                ("emulator.source", "desi"),
            )
        return self

    @property
    def sheet(self) -> Path:
        """Path of the sample sheet."""
        return Path(self.sample.sheet or f"samples/{self.run}.tsv")


def is_section(annotation) -> bool:
    """Whether the type of a key is a section of the configuration."""
    return isinstance(annotation, type) and issubclass(annotation, _Section)
