"""The configuration: its sections, with their defaults. The default file, the schema and the docs come from here."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from mangrove.config_autoencoders import AugmentationSection, AutoencoderSection, EmbeddingSection
from mangrove.config_maps import DesomSection, GalaxyMapSection, SomSection
from mangrove.config_values import MAX_SEED, RUN_NAME, Address, LocalPath, Range, Section, conflict


class Survey(Section):
    """Where the cubes come from."""

    source: Literal["sdss", "simulated", "simulated_spectra", "simulated_line_cubes", "files", "none"] = Field(
        "sdss",
        description="sdss: the SDSS archive or a mirror of it; simulated: mangrove's own simulated survey; simulated_spectra: a larger one, of spectra without cubes; simulated_line_cubes: one of emission-line cubes alone, for the autoencoders; files: cubes whose paths are in the sample sheet; none: no cubes, only the emulator, trained on a table",
    )
    release: Literal["dr15", "dr17"] = Field(
        "dr17", description="data release, which sets the layout of the archive and of the cubes"
    )
    base: Address = Field(
        "https://data.sdss.org/",
        description="address of the archive (the part before sas/), or the folder that holds the files: https://, file:// or a path",
    )
    mirror: LocalPath = Field(
        "", description="local copy of the archive (path or file://), searched before base; empty for none"
    )
    timeout: float = Field(
        60.0, gt=0, description="seconds without data, or at less than 10 kB/s, before a download is retried"
    )
    keep_cubes: bool = Field(
        True,
        description="keep the cubes in data_folder, where runs share them; false: delete them after use and download them again whenever extract changes",
    )
    link: bool = Field(False, description="link to local cubes (file:// or a path) instead of copying them")
    data_folder: LocalPath = Field(
        "data", min_length=1, description="folder for the kept cubes, with a subfolder for each DRP version"
    )

    simulated_galaxies: int = Field(
        400,
        ge=1,
        description="source simulated_spectra or simulated_line_cubes: number of galaxies that mangrove select lists",
    )
    simulated_baxels: int = Field(
        36, ge=1, le=400, description="source simulated_spectra: number of spectra of each galaxy"
    )

    @model_validator(mode="after")
    def _somewhere(self):
        if self.source in ("sdss", "files") and not self.base.strip():
            raise conflict(
                f"survey.source is {self.source}, so survey.base must say where the cubes are",
                ["survey.base", "survey.source"],
                ("survey.base", Survey.model_fields["base"].default if self.source == "sdss" else "."),
            )
        return self


class Sample(Section):
    """Which galaxies to use."""

    sheet: LocalPath = Field("", description="sample sheet; empty for samples/<run>.tsv")
    limit: int | None = Field(
        None, ge=1, description="use only this many galaxies, from the top of the sheet; null for all"
    )
    plateifus: list[str] = Field([], description="use only these galaxies of the sheet; empty for all")
    z_min: float = Field(0.0, ge=0, description="mangrove select: use redshifts above this value")
    z_max: float = Field(0.15, gt=0, le=1, description="mangrove select: use redshifts below this value")
    desom_z_max: float = Field(
        0.15, gt=0, description="mangrove select: upper redshift limit for the maps of spectra (column desom)"
    )
    convlstm_z_max: float = Field(
        0.08, gt=0, description="mangrove select: upper redshift limit for the line-cube networks (column convlstm)"
    )
    drop_critical: bool = Field(
        True,
        description="exclude cubes with the CRITICAL quality bit (30); if the sheet lists one anyway, its artefact is empty",
    )
    agn: Address = Field(
        "",
        description="mangrove select: AGN catalogue, as an address, a path, or a path below survey.base; empty for none",
    )
    morphology: Address = Field(
        "", description="mangrove select: catalogue of Hubble types, given in the same way; empty for none"
    )

    @model_validator(mode="after")
    def _rising_redshifts(self):
        if self.z_min >= self.z_max:
            raise conflict(
                f"sample.z_min {self.z_min:g} must be below sample.z_max {self.z_max:g}",
                ["sample.z_min", "sample.z_max"],
                ("sample.z_min", 0.0),
            )
        return self


class Extract(Section):
    """From a cube to baxels."""

    engine: Literal["powerbin", "vorbin"] = Field(
        "powerbin",
        description="powerbin: covariance is part of the binning; vorbin: the published code, with covariance applied afterwards",
    )
    target_snr: float = Field(20.0, gt=0, description="target signal-to-noise ratio per pixel of a bin")
    min_snr: float = Field(2.0, ge=0, description="spaxels below this signal-to-noise ratio are left out")
    continuum_range: Range = Field(
        [5600.0, 6750.0], description="observed wavelength range in which signal and noise are measured, Angstrom"
    )
    covariance: Literal["manga", "none"] | Annotated[float, Field(ge=1)] = Field(
        "manga",
        description="noise of a bin relative to the quadrature sum over its n spaxels: manga (1 + 1.62 log10 n, constant above n = 100), none, or the factor for n >= 100",
    )
    window_pixels: int = Field(10, ge=2, le=50, description="width of the window around each line, wavelength pixels")


class Preprocessing(Section):
    """Corrections and masks shared by the fit, the training spectra and the emulator."""

    ebv_scale: float = Field(
        1.0,
        ge=0,
        description="factor applied to the Galactic E(B-V): 1 as published, 0.86 as recalibrated by Schlafly & Finkbeiner (2011), 0 for no correction",
    )
    sky_half_width: float = Field(
        8.0, ge=0, description="half width of the mask on each night-sky line, Angstrom (observed); 0 for no masks"
    )


class SplitSection(Section):
    """How galaxies are divided into training, validation and test sets."""

    seed: int | None = Field(None, ge=0, le=MAX_SEED, description="seed of the split; null for the seed of the run")
    validation_fraction: float = Field(0.1, ge=0, lt=1, description="fraction of the galaxies used for validation")
    test_fraction: float = Field(0.2, ge=0, lt=1, description="fraction of the galaxies held out for testing")

    @model_validator(mode="after")
    def _something_to_train_on(self):
        if self.validation_fraction + self.test_fraction >= 1:
            raise conflict(
                "split.validation_fraction + split.test_fraction must be below 1: "
                f"they are {self.validation_fraction:g} + {self.test_fraction:g}",
                ["split.validation_fraction", "split.test_fraction"],
                ("split.test_fraction", 0.2 * (1 - self.validation_fraction)),
            )
        return self


class Fit(Section):
    """Fit of the stellar continuum and the emission lines."""

    engine: Literal["batched", "ppxf"] = Field(
        "batched",
        description="batched: many spectra at once, in JAX, on a GPU if there is one; ppxf: each spectrum by pPXF, as published",
    )
    chunk: int = Field(
        64,
        ge=1,
        description="engine batched: number of galaxies that one job fits, on average (to a factor of 1.4); results do not depend on it",
    )
    templates: LocalPath = Field(
        "mastar",
        description="stellar population templates: mastar (embedded), or the path of an HDF5 file, a pPXF npz file or a folder of MILES FITS files (docs/labels.md)",
    )
    rest_range: Range = Field([3650.0, 7400.0], description="rest-frame wavelength range of the fit, Angstrom (vacuum)")
    attenuation: Literal["calzetti", "polynomial"] = Field(
        "calzetti",
        description="calzetti: stellar attenuation from the Calzetti curve, with the polynomial on top; polynomial: attenuation from the shape of the polynomial, as published",
    )
    polynomial_degree: int = Field(8, ge=0, le=30, description="degree of the multiplicative polynomial")
    calibration_error: float = Field(
        0.01,
        ge=0,
        description="expected size of the polynomial coefficients when a dust curve is fitted as well (flux calibration error); 0 for no limit",
    )
    regularisation: float = Field(
        0.0, ge=0, description="smoothness of the template weights over age and [M/H], as in pPXF's regul; 0 for none"
    )
    age_limit: bool = Field(True, description="exclude templates older than the universe at the redshift of the galaxy")
    clip_sigma: float = Field(
        5.0,
        ge=0,
        description="mask pixels outside the lines whose residual exceeds this many robust sigma; 0 for no clipping",
    )
    n_draw: int = Field(
        16,
        ge=2,
        le=200,
        description="noise realisations of each best-fit model, from which the errors of the populations are estimated",
    )
    rescale_noise: bool = Field(
        False,
        description="rescale the errors by the robust scatter of the residuals of a first fit, in units of the errors; for cubes whose formal variances are too small",
    )
    velocity_bound: float = Field(
        1000.0, gt=0, le=50_000, description="largest velocity relative to the catalogue redshift, km/s"
    )
    min_good_fraction: float = Field(
        0.5, gt=0, le=1, description="smallest fraction of good pixels in the fitted range"
    )
    stellar_kinematics: Literal["free", "bounded", "fixed"] = Field(
        "free",
        description="stellar kinematics of baxels below bright_snr: free; bounded: close to those of the nearest bright baxel; fixed: copied from it",
    )
    bright_snr: float = Field(
        20.0,
        gt=0,
        description="signal-to-noise ratio from which a baxel's stellar kinematics can guide those of fainter ones",
    )
    kinematics_range: float = Field(
        100.0, gt=0, description="stellar_kinematics bounded: largest difference from those of the bright baxel, km/s"
    )
    gas_components: Literal[1, 2] = Field(
        1,
        description="largest number of Gaussians per emission line; a second one is used where it lowers the BIC by 10 (docs/labels.md)",
    )
    broad_lines: bool = Field(
        False, description="also try a broad component of the Balmer lines, accepted by the same criterion"
    )


class TrainingSpectra(Section):
    """Normalised rest-frame spectra."""

    rest_range: Range = Field([3650.0, 8950.0], description="rest-frame wavelength range, Angstrom (vacuum)")
    n_wave: int = Field(4544, ge=64, description="number of log-spaced wavelength bins; a multiple of 64")
    norm_band: Range = Field(
        [4050.0, 4150.0], description="rest-frame band in which the mean flux is normalised to 1, Angstrom"
    )
    min_good_fraction: float = Field(
        0.8583, gt=0, le=1, description="smallest fraction of good bins (3900 of 4544 as published)"
    )
    min_snr: float = Field(10.0, ge=0, description="smallest signal-to-noise ratio per native pixel")
    cut_percentile: float = Field(
        0.5,
        ge=0,
        lt=50,
        description="percentage of the spectra removed at either end: those with the lowest minima and those with the highest maxima",
    )
    galactic_extinction: bool = Field(
        True,
        description="correct these spectra for Galactic extinction, so that position on the sky leaves no imprint on their shape",
    )

    @field_validator("n_wave")
    @classmethod
    def _poolable(cls, value: int) -> int:
        if value % 64:
            raise ValueError(f"{value} is not a multiple of 64; the nearest is {max(64, round(value / 64) * 64)}")
        return value

    @model_validator(mode="after")
    def _inside(self):
        low, high = self.rest_range
        if not (low <= self.norm_band[0] and self.norm_band[1] <= high):
            raise conflict(
                f"training_spectra.norm_band {self.norm_band} must lie inside training_spectra.rest_range {self.rest_range}",
                ["training_spectra.norm_band", "training_spectra.rest_range"],
                ("training_spectra.norm_band", [round(low + 0.45 * (high - low)), round(low + 0.55 * (high - low))]),
            )
        return self


class LineCube(Section):
    """Cubes around the emission lines."""

    size: int = Field(32, ge=8, description="spaxels on a side, centred on the galaxy")


class EmulatorSection(Section):
    """Emission lines predicted from the shape of the stellar continuum."""

    enabled: bool = Field(True, description="train and evaluate the emulator in this run")
    source: Literal["baxels", "desi"] = Field(
        "baxels", description="training data: the baxels of this run, or a table of DESI galaxies"
    )
    desi_file: LocalPath = Field(
        "",
        description="source desi: the table (HDF5), ready-made or written by mangrove desi-table (docs/emulator.md)",
    )
    luminosity: bool = Field(
        True,
        description="use the continuum luminosity in addition to the colours if the table has it; baxels have none",
    )
    bin_range: Range = Field(
        [3400.0, 7000.0],
        description="rest-frame wavelength range of the continuum bins of baxels, Angstrom; bins that the data do not cover are dropped",
    )
    n_bin: int = Field(12, ge=3, le=100, description="number of these bins")
    architecture: Literal["shared", "per_line"] = Field(
        "shared", description="shared: one network for all lines; per_line: one network for each line, as published"
    )
    hidden: list[Annotated[int, Field(ge=1)]] = Field(
        [128, 128], description="sizes of the hidden layers of the shared network"
    )
    n_component: int = Field(2, ge=1, le=5, description="Gaussians per line in the output of the shared network")
    members: int = Field(4, ge=1, le=16, description="number of networks in the ensemble")
    batch_size: int = Field(512, ge=1, description="rows per training step; all of them if there are fewer")
    epochs: int = Field(20, ge=1, description="number of passes over the training rows")
    learning_rate: float = Field(3e-3, gt=0, description="peak learning rate of AdamW")
    weight_decay: float = Field(1e-4, ge=0, description="weight decay of AdamW")
    patience: int | None = Field(
        None,
        ge=1,
        description="stop after this many epochs without a lower validation loss; null to train for all epochs",
    )
    keep_best: bool = Field(
        True,
        description="keep the epoch with the lowest validation loss; false: keep the last one, if there are too few validation galaxies to choose by",
    )
    learning_curve: list[Annotated[float, Field(gt=0, le=1)]] = Field(
        [0.03, 0.1, 0.3, 1.0],
        description="fractions of the training rows for the learning curve; empty for no curve",
    )


class Report(Section):
    """The report."""

    truth_spectra: int = Field(
        16, ge=8, description="simulated survey: number of spectra for each case in the table of known populations"
    )
    truth_cubes: int = Field(
        40,
        ge=1,
        description="source simulated_line_cubes: number of galaxies held out with each planted anomaly, to judge the anomaly scores; normal ones are three times as many",
    )
    truth_library: LocalPath = Field(
        "",
        description="simulated survey: path of a second template library, for spectra that the fit cannot match; empty for none",
    )
    examples: int = Field(6, ge=0, le=20, description="number of galaxies shown one by one")


class Config(Section):
    """One run of mangrove."""

    run: str = Field("dr17", pattern=RUN_NAME, description="name of the run; results go to results/<run>/")
    seed: int = Field(
        1, ge=0, le=MAX_SEED, description="seed of all random draws, combined with the name of the galaxy"
    )
    survey: Survey = Survey()
    sample: Sample = Sample()
    extract: Extract = Extract()
    preprocessing: Preprocessing = Preprocessing()
    split: SplitSection = SplitSection()
    fit: Fit = Fit()
    training_spectra: TrainingSpectra = TrainingSpectra()
    line_cube: LineCube = LineCube()
    som: SomSection = SomSection()
    desom: DesomSection = DesomSection()
    galaxy_map: GalaxyMapSection = GalaxyMapSection()
    augmentation: AugmentationSection = AugmentationSection()
    autoencoder: AutoencoderSection = AutoencoderSection()
    embedding: EmbeddingSection = EmbeddingSection()
    emulator: EmulatorSection = EmulatorSection()
    report: Report = Report()

    @model_validator(mode="after")
    def _something_to_do(self):
        emulator = self.emulator
        if emulator.enabled and emulator.source == "desi" and not emulator.desi_file:
            raise conflict(
                "emulator.source is desi, so emulator.desi_file must name the table",
                ["emulator.source", "emulator.desi_file"],
                ("emulator.desi_file", "data/real/desi/desi_sv3_continuum_ew.h5"),
            )
        if (2 ** len(self.autoencoder.filters)) > self.line_cube.size or self.line_cube.size % 2 ** len(
            self.autoencoder.filters
        ):
            raise conflict(
                f"line_cube.size {self.line_cube.size} must be a multiple of 2 for each of the {len(self.autoencoder.filters)} autoencoder.filters, which halve the image",
                ["line_cube.size", "autoencoder.filters"],
                ("line_cube.size", 32),
            )
        if self.augmentation.max_shift >= self.line_cube.size:
            raise conflict(
                f"augmentation.max_shift {self.augmentation.max_shift} must be below line_cube.size {self.line_cube.size}",
                ["augmentation.max_shift", "line_cube.size"],
                ("augmentation.max_shift", self.line_cube.size // 6),
            )
        if self.survey.source == "simulated_line_cubes" and emulator.enabled and emulator.source == "baxels":
            raise conflict(
                "survey.source is simulated_line_cubes, so emulator.enabled must be false (or emulator.source desi): line cubes have no baxels to train on",
                ["survey.source", "emulator.enabled"],
                ("emulator.enabled", False),
            )
        if self.survey.source == "none" and not emulator.enabled:
            raise conflict(
                "survey.source is none, so emulator.enabled must be true: without cubes there is nothing else to run",
                ["survey.source", "emulator.enabled"],
                ("emulator.enabled", True),
            )
        if self.survey.source == "none" and emulator.source != "desi":
            raise conflict(
                "survey.source is none, so emulator.source must be desi: without cubes there are no baxels to train on",
                ["survey.source", "emulator.source"],
                ("emulator.source", "desi"),
            )
        return self

    @property
    def sheet(self) -> Path:
        """Path of the sample sheet."""
        return Path(self.sample.sheet or f"samples/{self.run}.tsv")

    @property
    def split_seed(self) -> int:
        """Seed of the split of galaxies into training, validation and test sets."""
        return self.seed if self.split.seed is None else self.split.seed
