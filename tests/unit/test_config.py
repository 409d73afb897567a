"""Configuration files: defaults, mistakes and what is said about them, the shipped ones."""

from pathlib import Path

import pytest
import yaml

from mangrove.config import Config, EmulatorSection, SplitSection
from mangrove.config_files import check, load, validate
from mangrove.errors import ConfigError
from mangrove.generate import GENERATED

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", GENERATED)
def test_generated_files_are_up_to_date(name):
    path = ROOT / name
    assert path.is_file() and path.read_text(encoding="utf-8") == GENERATED[name](), (
        f"{name} differs from the code it is generated from; run 'make generate'."
    )


def test_the_default_file_gives_the_defaults():
    assert load([ROOT / "config.yaml"]) == Config()


@pytest.mark.parametrize("path", sorted((ROOT / "configs").glob("*.yaml")), ids=lambda p: p.name)
def test_every_shipped_configuration_is_valid(path):
    run = load([ROOT / "config.yaml", path])
    assert run.run == path.stem, "a run is named after its file, so that users find its results"


def test_the_split_has_the_seed_of_the_run_or_one_of_its_own():
    assert Config(seed=7).split_seed == 7
    assert Config(seed=7, split=SplitSection(seed=0)).split_seed == 0


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("extract:\n  target_nsr: 3\n", ["extract.target_nsr", "did you mean 'target_snr'"]),
        ("surveys: {}\n", ["unknown key 'surveys'", "did you mean 'survey'"]),
        ("extract:\n  engine: voronoi\n", ["extract.engine", "'powerbin' or 'vorbin'", "'voronoi'"]),
        ("extract:\n  target_snr: -1\n", ["extract.target_snr", "greater than 0", "for example:  target_snr: 20.0"]),
        ("extract:\n  covariance: 0.5\n", ["extract.covariance", "'none', or greater than or equal to 1 (given: 0.5)"]),
        ("fit:\n  rest_range: [7400, 3650]\n", ["fit.rest_range", "lower end 7400 must be below"]),
        ("fit:\n  rest_range: [7400]\n", ["fit.rest_range"]),
        ("training_spectra:\n  n_wave: 100\n", ["training_spectra.n_wave", "the nearest is 128"]),
        ("fit:\n  rest_range: [.nan, 7400]\n", ["fit.rest_range", "finite"]),
        ("fit:\n  rest_range: [-10, 5000]\n", ["fit.rest_range", "wavelengths must be above 0; the lower end is -10"]),
        (
            "extract:\n  continuum_range: [-10, 5000]\n",
            ["extract.continuum_range", "wavelengths must be above 0; the lower end is -10"],
        ),
        (
            "training_spectra:\n  rest_range: [-10, 5000]\n",
            ["training_spectra.rest_range", "wavelengths must be above 0; the lower end is -10"],
        ),
        (
            "training_spectra:\n  norm_band: [-10, 5000]\n",
            ["training_spectra.norm_band", "wavelengths must be above 0; the lower end is -10"],
        ),
        (
            "emulator:\n  bin_range: [-10, 5000]\n",
            ["emulator.bin_range", "wavelengths must be above 0; the lower end is -10"],
        ),
        ("sample:\n  z_min: -0.1\n", ["sample.z_min", "greater than or equal to 0", "for example:  z_min: 0.0"]),
        ("run: a/b\n", ["run", "must consist of letters, digits, _ . - and begin with"]),
        ("extract:\n", ["extract in", "is empty; add keys below it, or delete the line"]),
        ("extract: 3\n", ["extract in", "must contain keys of its own", "(given: 3)"]),
        ("extract:\n  covariance: mangaa\n", ["must be 'manga' or 'none', or a number (given: 'mangaa')"]),
        ("seed: 1.5\n", ["seed", "must be a whole number (given: 1.5)"]),
        ("survey:\n  base: ftp://x/\n", ["survey.base", "must be https://, http://, file:// or a path"]),
        ("a: [1,\n", ["line 2: not valid YAML"]),
        ("fit: {}\nextract:\n  min_snr: 1\nfit: {}\n", ["line 4", "the key 'fit' appears twice, first in line 1"]),
        ("extract: {min_snr: 1, min_snr: 2}\n", ["line 1", "the key 'min_snr' appears twice"]),
    ],
)
def test_mistakes_are_named_with_file_and_mend(tmp_path, text, parts):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as error:
        load([path])
    for part in [*parts, "mine.yaml"]:
        assert part in str(error.value)
    assert str(error.value).count("\n- ") <= 1, "one mistake, one entry"


@pytest.mark.parametrize(
    ("section", "values", "parts"),
    [
        ("training_spectra", {"norm_band": [3000, 3100]}, ["norm_band [3000.0, 3100.0] must lie inside"]),
        ("training_spectra", {"rest_range": [4400, 8600]}, ["must lie inside", "norm_band: [6290, 6710]"]),
        ("split", {"test_fraction": 0.95}, ["must be below 1: they are 0.1 + 0.95"]),
        ("sample", {"z_min": 0.2}, ["sample.z_min 0.2 must be below sample.z_max 0.15", "z_min: 0.0"]),
        ("survey", {"base": ""}, ["survey.base must say where the cubes are", "base: 'https://data.sdss.org/'"]),
        ("survey", {"source": "files", "base": " "}, ["survey.source is files", "below 'survey:':  base: ."]),
        ("survey", {"source": "none"}, ["emulator.source must be desi", "below 'emulator:':  source: desi"]),
        ("emulator", {"source": "desi"}, ["emulator.desi_file must name the table", "desi_file: data/real/desi/"]),
    ],
)
def test_keys_that_contradict_each_other_are_named_with_file_and_mend(tmp_path, section, values, parts):
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump({section: values}))
    with pytest.raises(ConfigError) as error:
        load([ROOT / "config.yaml", path])
    text = str(error.value)
    for part in [*parts, *(f"{section}.{key} in {path}" for key in values)]:
        assert part in text
    # The line offered, pasted, mends this rule.
    where, _, line = text.rpartition("for example, below '")[2].partition(":':  ")
    pasted = {section: values} | {where: (values if where == section else {}) | yaml.safe_load(line)}
    path.write_text(yaml.safe_dump(pasted))
    assert parts[0] not in complaint(ROOT / "config.yaml", path)


def complaint(*files):
    """What is said about files; empty if they are right."""
    try:
        load(files)
    except ConfigError as error:
        return str(error)
    return ""


def test_keys_of_two_files_that_contradict_each_other_name_both(tmp_path):
    for name, text in (("a.yaml", "sample: {z_min: 0.1}"), ("b.yaml", "sample: {z_max: 0.05}")):
        (tmp_path / name).write_text(text)
    with pytest.raises(ConfigError, match=r"sample.z_min in \S*a.yaml, line 1; sample.z_max in \S*b.yaml, line 1\)"):
        load([tmp_path / "a.yaml", tmp_path / "b.yaml"])


def test_an_error_over_many_mistakes_stays_short(tmp_path):
    """As a key too far left makes them of all that follow it."""
    path = tmp_path / "mine.yaml"
    path.write_text(
        "seed: [" + "1, " * 2000 + "1]\nfit:\n" + "".join(f"  of_another_section_{i}: 1\n" for i in range(40))
    )
    with pytest.raises(ConfigError, match=r"of_another_section_3'(.|\n)*And 33 more: correct these first") as refused:
        load([path])
    assert len(str(refused.value)) < 4000


def test_a_run_without_cubes_needs_the_emulator():
    with pytest.raises(ConfigError, match=r"emulator.enabled must be true.*\n.*below 'emulator:':  enabled: true"):
        validate({"survey": {"source": "none"}, "emulator": {"enabled": False}})


def test_files_that_are_none(tmp_path):
    with pytest.raises(ConfigError, match="does not exist"):
        load([tmp_path / "none.yaml"])
    (tmp_path / "bad.yaml").write_text("a: [1,")
    with pytest.raises(ConfigError, match="not valid YAML"):
        load([tmp_path / "bad.yaml"])
    (tmp_path / "latin.yaml").write_bytes("run: é".encode("latin-1"))
    with pytest.raises(ConfigError, match=r"latin.yaml is not UTF-8 text"):
        load([tmp_path / "latin.yaml"])
    with pytest.raises(ConfigError, match="cannot be read as a configuration file"):
        load([tmp_path])
    (tmp_path / "list.yaml").write_text("- 1\n")
    with pytest.raises(ConfigError, match="key: value"):
        load([tmp_path / "list.yaml"])


def test_faults_that_a_merged_configuration_hides(tmp_path):
    (tmp_path / "twice.yaml").write_text("run: a\nrun: b\n")
    with pytest.raises(ConfigError, match=r"twice.yaml, line 2: .*'run' appears twice"):
        validate({"run": "b"}, [ROOT / "config.yaml", tmp_path / "twice.yaml"])
    table = tmp_path / "table.h5"
    desi = Config(emulator=EmulatorSection(source="desi", desi_file=str(table)))
    with pytest.raises(ConfigError, match=r"emulator.desi_file \S*table.h5 does not exist; docs/emulator.md says how"):
        check(desi)
    check(desi.model_copy(update={"emulator": desi.emulator.model_copy(update={"enabled": False})}))
    table.touch()
    check(desi)


def shipped(name):
    return load([ROOT / "config.yaml", ROOT / "configs" / name])


def test_dr15_is_binned_and_fitted_as_published():
    """Teimoorinia et al. (2022), Woo & Ellison (2019): what differs from the defaults, and the defaults it relies on."""
    run, default = shipped("dr15.yaml"), Config()
    assert run.survey.release == "dr15"
    assert run.extract == default.extract.model_copy(update={"engine": "vorbin"})
    published = {"attenuation": "polynomial", "clip_sigma": 0.0, "age_limit": False}
    assert run.fit == default.fit.model_copy(update=published)
    assert (run.extract.target_snr, run.extract.min_snr, run.extract.covariance) == (20, 2, "manga")
    assert (run.fit.templates, run.preprocessing.ebv_scale, run.fit.regularisation) == ("mastar", 1, 0)
    assert (run.sample.z_max, run.sample.desom_z_max, run.sample.convlstm_z_max) == (0.15, 0.15, 0.08)
    training = run.training_spectra
    assert (training.rest_range, training.n_wave, training.norm_band) == ([3650, 8950], 4544, [4050, 4150])
    assert training.min_good_fraction == pytest.approx(3900 / 4544, abs=1e-4)
    assert (training.min_snr, training.cut_percentile, run.line_cube.size) == (10, 0.5, 32)


def test_the_templates_that_dr15_offers_are_the_published_ones(tmp_path):
    """The line that a user takes the # away from is a key of the configuration."""
    text = (ROOT / "configs/dr15.yaml").read_text(encoding="utf-8")
    (tmp_path / "dr15.yaml").write_text(text.replace("# templates:", "templates:"))
    assert load([tmp_path / "dr15.yaml"]).fit.templates == "data/templates/emiles_kroupa_basti.h5"


def test_dr17_is_the_default_run_with_two_catalogues():
    run, default = shipped("dr17.yaml"), Config()
    assert run.sample.agn.endswith("manga_agn-v1_0_1.fits") and "visual_morpho" in run.sample.morphology
    assert run.model_copy(update={"sample": default.sample}) == default


def test_later_files_win_key_by_key(tmp_path):
    (tmp_path / "a.yaml").write_text("extract: {target_snr: 10, min_snr: 1}\n")
    (tmp_path / "b.yaml").write_text("extract: {target_snr: 30}\n")
    run = load([tmp_path / "a.yaml", tmp_path / "b.yaml"])
    assert (run.extract.target_snr, run.extract.min_snr) == (30, 1)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "run: a\nfit:\n  clip_sigma: 017\n",
            "line 3: YAML reads 017 as 15; write 15 if you mean that, 17 without the zeros",
        ),
        ("fit:\n  clip_sigma: 0x1F\n", "line 2: YAML reads 0x1F as 31"),
        ("fit:\n  clip_sigma: 0b11\n", "line 2: YAML reads 0b11 as 3"),
        ("fit:\n  clip_sigma: 0o17\n", "line 2: some YAML readers take 0o17 for a number, others for text; write 15"),
        ("fit:\n  clip_sigma: 1:30\n", "line 2: YAML reads 1:30 as 90"),
        ("fit:\n  clip_sigma: 1:30.5\n", "line 2: YAML reads 1:30.5 as 90.5"),
        ("fit:\n  velocity_bound: 1_000\n", "line 2: YAML reads 1_000 as 1000"),
        ("fit:\n  velocity_bound: 1_0.5\n", "line 2: YAML reads 1_0.5 as 10.5"),
        ("fit:\n  rest_range:\n  - 4000\n  - 7_000\n", "line 4: YAML reads 7_000 as 7000"),
        ("fit:\n  clip_sigma: 1_0e1\n", "fit.clip_sigma in {file}, line 2: must be a number without underscores"),
        (
            "extract: {covariance: '1_5'}\n",
            "extract.covariance in {file}, line 1: must be a number without underscores",
        ),
        ("fit: {rest_range: [4000, '7_000']}\n", "fit.rest_range in {file}, line 1: must be a number without"),
        ("fit: &f\n  n_draw: 9\nextract: {<<: *f}\n", "unknown key 'extract.n_draw' in {file}, line 2"),
        ("sample:\n  <<: [{z_min: 0.01}, {z_max: -1}]\n", "sample.z_max in {file}, line 2: must be greater"),
        ("sample: {plateifus: [8485-1901, 8485_1902]}\n", "line 1: YAML reads 8485_1902 as 84851902"),
        ("run: 2024-01-31\n", "line 1: YAML reads 2024-01-31 as a date; write it in quotes: '2024-01-31'"),
        ("on: 3\n", "line 1: YAML does not read the key 'on' as text"),
        ("fit:\n\tclip_sigma: 3\n", "line 2: not valid YAML: there is a tab. Indent with spaces"),
        (
            "run: no\n",
            "line 1: must not be true or false (given: False, which is how YAML reads no; in",
        ),
        ("run: on\n", "in quotes it is text: 'on'"),
        ("run: 12\n", "line 1: must be text (given: 12, which is how YAML reads 12; in quotes it is text: '12')"),
        ("run: 1.10\n", "given: 1.1, which is how YAML reads 1.10; in quotes it is text: '1.10'"),
        ("sample: {limit: yes}\n", "sample.limit in {file}, line 1: must not be true or false"),
        ("extract:\n  target_snr: true\n", "extract.target_snr in {file}, line 2: must not be true or false"),
        ("emulator:\n  hidden: [true]\n", "emulator.hidden in {file}, line 2: must not be true or false"),
        (
            "sample:\n  plateifus:\n  - 8485-1901\n  - 12\n",
            "sample.plateifus in {file}, line 4: must be text (given: 12",
        ),
        ("survey:\n  data_folder: ~\n", "survey.data_folder in {file}, line 2: must be text (given: None"),
        ("\n\nseeds: 1\n", "unknown key 'seeds' in {file}, line 3; did you mean 'seed'"),
        ("\nfits:\n  clip_sigma: 3\n", "unknown key 'fits' in {file}, line 2"),
    ],
)
def test_what_yaml_takes_for_something_else_is_named_with_its_line(tmp_path, text, said):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    assert said.format(file=path) in complaint(path)


@pytest.mark.parametrize(
    ("text", "key", "wanted"),
    [
        ("fit: {clip_sigma: 1e1}", "fit.clip_sigma", 10.0),
        ("emulator: {learning_rate: 1.5e-3}", "emulator.learning_rate", 1.5e-3),
        ("fit: {clip_sigma: .5}", "fit.clip_sigma", 0.5),
        ("fit: {clip_sigma: +5}", "fit.clip_sigma", 5.0),
        ("fit: {clip_sigma: 0}", "fit.clip_sigma", 0.0),
        ("survey: {link: yes}", "survey.link", True),
        ("survey: {keep_cubes: off}", "survey.keep_cubes", False),
        ("run: '017'", "run", "017"),
        ("run: '2024_05'", "run", "2024_05"),
        ("fit: {<<: {clip_sigma: 3.0}, n_draw: 5}", "fit.clip_sigma", 3.0),
        ("run: 'no'", "run", "no"),
        ("run: '2024-01-31'", "run", "2024-01-31"),
        ("sample: {plateifus: [8485-1901]}", "sample.plateifus", ["8485-1901"]),
    ],
)
def test_what_has_one_meaning_is_read(tmp_path, text, key, wanted):
    path = tmp_path / "mine.yaml"
    path.write_text("\ufeff" + text, encoding="utf-8")
    value = load([path])
    for part in key.split("."):
        value = getattr(value, part)
    assert value == wanted and type(value) is type(wanted)


def test_values_of_the_command_line_are_named_as_such(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("fit:\n  clip_sigma: 3\n")
    with pytest.raises(ConfigError, match=r"fit.clip_sigma in --config: must be greater than"):
        validate({"fit": {"clip_sigma": "-1"}}, [path], {"fit": {"clip_sigma": "-1"}})
    with pytest.raises(ConfigError, match=r"fit.clip_sigma in \S*mine.yaml, line 2: must be greater than"):
        validate({"fit": {"clip_sigma": "-1"}}, [path], {"run": "x"})


@pytest.mark.parametrize(
    ("key", "allowed"),
    [
        ("sample.z_max", "number > 0, <= 1"),
        ("extract.window_pixels", "whole number >= 2, <= 50"),
        ("extract.covariance", "manga, none or number >= 1"),
        ("fit.rest_range", "two numbers > 0, rising"),
        ("sample.limit", "whole number >= 1 or null"),
        ("emulator.hidden", "list of whole number >= 1"),
        ("survey.keep_cubes", "true, false"),
        ("survey.data_folder", "path"),
        ("sample.agn", "address"),
    ],
)
def test_the_table_of_keys_says_what_is_allowed(key, allowed):
    row = next(line for line in GENERATED["docs/configuration.md"]().splitlines() if line.startswith(f"| `{key}` |"))
    assert row.split(" | ")[2] == allowed
