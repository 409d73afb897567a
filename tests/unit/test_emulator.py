"""The emulator: features, distributions, training on a small table, use, bad input."""

import hashlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from scipy import integrate
from scipy.stats import norm, truncnorm

from mangrove.codes import PredictionFlag
from mangrove.config import Config
from mangrove.errors import CatalogueError, ModelError, TrainingError
from mangrove.models.emulator import continuum_features as continuum
from mangrove.models.emulator.continuum_features import Bins
from mangrove.models.emulator.distribution import LineMixture, pooled
from mangrove.models.emulator.emulator import (
    load,
    predict_table,
)
from mangrove.models.emulator.line_table import LineTable
from mangrove.models.emulator.network import Architecture, LineNetwork
from mangrove.models.emulator.prepared_table import read_prepared, split_table
from mangrove.models.emulator.training import EmulatorSettings, scarce_lines, train_emulator, trainable

LINES = ("Halpha_6565", "OIII_5008")
BINS = Bins.equal(n_bin=4)
TRUE_SCATTER = 0.3


def table_of(n=1500, seed=0, luminosity=True):
    """Galaxies whose EW follow from one colour, with scatter, noise, a cut at zero, and gaps."""
    rng = np.random.default_rng(seed)
    flux = 10 ** (0.2 * rng.standard_normal((n, BINS.n_bin))).astype(np.float32)
    blue = np.log10(flux[:, 1] / flux[:, 0])
    mean = np.column_stack([2.5 - 3 * blue, 1.5 + 2 * blue])
    own = mean + TRUE_SCATTER * rng.standard_normal(mean.shape)
    error = 0.3 * np.exp(0.5 * rng.standard_normal(mean.shape))
    ew = np.sinh(own) + error * rng.standard_normal(mean.shape)
    ew[(ew <= 0) | (rng.random(ew.shape) < 0.1)] = np.nan
    log_luminosity = (40 + 0.3 * rng.standard_normal(n)).astype(np.float32) if luminosity else None
    names = np.array([f"galaxy {i}" for i in range(n)])
    return LineTable(BINS, LINES, names, flux, log_luminosity, ew.astype("f4"), (error**-2).astype("f4"))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A small ensemble, its folder, and the table that it was trained on."""
    folder = tmp_path_factory.mktemp("emulator")
    table = table_of()
    settings = EmulatorSettings(Architecture(hidden=(16,), n_member=2), batch_size=64, epochs=25, learning_rate=1e-2)
    model, _ = train_emulator(table, split_table(table), settings, folder, {"run": "test"})
    return model, folder / "model", table


def test_bins_are_means_weighted_by_overlap():
    wave = np.arange(3390.0, 7020.0, 7.3)
    weights = continuum.bin_matrix(wave, Bins.equal())
    np.testing.assert_allclose(weights @ np.ones(wave.size), 1, rtol=1e-5)
    np.testing.assert_allclose(weights @ wave, Bins.equal().centres, atol=0.2)


def test_bins_beyond_the_spectrum_are_refused_and_can_be_left_out():
    wave = np.arange(3622.0, 7100.0)
    with pytest.raises(ModelError, match="covers 3621"):
        continuum.bin_matrix(wave, Bins.equal())
    assert Bins.equal().within(3622, 7100).edges[0] == 3700
    with pytest.raises(ModelError, match="fewer than two"):
        Bins.equal().within(5000, 5100)


def test_lines_are_replaced_by_a_straight_line():
    wave = np.arange(6400.0, 6700.0)
    stars = (2 + 0.001 * (wave - 6400)).astype(np.float32)
    line = 5 * np.exp(-0.5 * ((wave - 6564.6) / 3) ** 2)
    cleaned = continuum.without_lines(wave, jnp.asarray((stars + line)[None], jnp.float32), np.array([6564.6]))
    np.testing.assert_allclose(cleaned[0], stars, atol=0.01)


def test_colours_and_luminosity_follow_their_formulas():
    flux = np.array([[1.0, 10.0, 5.0]], np.float32)
    np.testing.assert_allclose(continuum.colours(jnp.asarray(flux))[0], [1, np.log10(0.5)], rtol=1e-5)
    z = np.array([0.1], np.float32)
    # Luminosity distance by integrating 1 / E(z); c / H0 in Mpc, then in cm.
    comoving = integrate.quad(lambda x: (0.3 * (1 + x) ** 3 + 0.7) ** -0.5, 0, 0.1)[0] * 299792.458 / 70
    distance = np.log10(1.1 * comoving * 3.0856776e24)
    np.testing.assert_allclose(continuum.log_luminosity_distance(z), distance, rtol=1e-6)
    expected = np.log10(4 * np.pi * 1.1 * flux.mean() * 1e-17) + 2 * distance
    found = continuum.log_luminosity(jnp.asarray(flux), jnp.asarray(z), jnp.asarray([distance], jnp.float32))
    np.testing.assert_allclose(found, [expected], rtol=1e-6)


def mixture_of(weights, means, scatters):
    return LineMixture(*(jnp.asarray(x, jnp.float32)[:, None] for x in (np.log(weights), means, scatters)))


@jax.jit
def summary(mixture, y):
    """cdf and log density at y, median, bounds of the 68 % interval."""
    return mixture.cdf(y), mixture.log_density(y), mixture.median(), *mixture.interval()


def test_one_component_is_a_truncated_normal():
    for mean in (2.0, 0.1, -1.5):
        mixture, truth = mixture_of([1], [mean], [0.5]), truncnorm(-mean / 0.5, np.inf, mean, 0.5)
        for y in (0.05, 0.5, 2.0):
            cdf, density, median, low, high = summary(mixture, jnp.asarray([y], jnp.float32))
            np.testing.assert_allclose(cdf, [truth.cdf(y)], atol=2e-5)
            np.testing.assert_allclose(density, [truth.logpdf(y)], atol=2e-3)
        np.testing.assert_allclose(median, [truth.median()], atol=1e-4)
        np.testing.assert_allclose([low[0], high[0]], truth.ppf([0.16, 0.84]), atol=1e-4)


def test_quantiles_differentiate():
    @jax.jit
    def median(mean):
        return mixture_of([0.4, 0.6], [0.5, 1.5], [0.3, 0.6])._replace(mean=mean).median()[0]

    mean = jnp.asarray([[0.5], [1.5]], jnp.float32)
    gradient, step = jax.grad(median)(mean), np.float32(1e-2)
    for i in range(2):
        shift = jnp.zeros_like(mean).at[i, 0].set(step)
        slope = (median(mean + shift) - median(mean - shift)) / (2 * step)
        np.testing.assert_allclose(gradient[i, 0], slope, rtol=0.02)


def test_noise_widens_by_the_error_in_asinh():
    mixture = mixture_of([1], [2.0], [0.3]).measured(jnp.asarray([1.5], jnp.float32))
    np.testing.assert_allclose(mixture.scatter[0, 0], np.hypot(0.3, 1.5 / np.sqrt(1 + np.sinh(2) ** 2)), rtol=1e-5)


def test_an_ensemble_is_the_mean_of_its_members():
    members = LineMixture(*(jnp.asarray(x, jnp.float32)[:, None, None, None] for x in ([0, 0], [3.0, 5.0], [0.4, 0.4])))
    one = pooled(members)
    y = jnp.asarray([[4.0]], jnp.float32)
    np.testing.assert_allclose(one.cdf(y), [[np.mean(norm.cdf([2.5, -2.5]))]], atol=1e-5)


def test_the_trained_emulator_finds_scatter_and_relation(trained):
    model, _, table = trained
    test = table.take(split_table(table).test)
    found = predict_table(model, test.flux_bins, test.log_luminosity)
    blue = np.log10(test.flux_bins[:, 1] / test.flux_bins[:, 0])
    strong = (2.5 - 3 * blue) > 1.5
    np.testing.assert_allclose(np.median((found.observed[:, 0] - (2.5 - 3 * blue))[strong]), 0, atol=0.05)
    mixture = jax.tree.map(jnp.asarray, found.mixture)
    low, high = (np.asarray(x) for x in jax.jit(LineMixture.interval)(mixture))
    assert 0.25 < np.median((high - low)[strong, 0]) / 2 < 0.4
    assert ((high > low) & (low >= 0)).all()
    known = test.measured
    y = jnp.asarray(np.arcsinh(np.where(known, test.ew, 1)), jnp.float32)
    error = jnp.asarray(np.where(known, test.ew_error, 1), jnp.float32)
    pit = np.asarray(jax.jit(lambda m, e, y: m.measured(e).cdf(y))(mixture, error, y))[known]
    assert abs((np.abs(pit - 0.5) < 0.34).mean() - 0.68) < 0.07


def test_a_loaded_model_predicts_the_same(trained):
    model, folder, table = trained
    again = load(folder)
    a, b = (m(table.flux_bins[:5], table.log_luminosity[:5]) for m in (model, again))
    np.testing.assert_array_equal(a.observed, b.observed)
    np.testing.assert_array_equal(model.correlation.matrix, again.correlation.matrix)
    assert again.bins == BINS and again.lines == LINES


def test_the_model_compiles_maps_and_differentiates(trained):
    model, _, table = trained
    flux, luminosity = jnp.asarray(table.flux_bins[:6]), jnp.asarray(table.log_luminosity[:6])
    whole = model(flux, luminosity)
    np.testing.assert_allclose(jax.jit(model)(flux, luminosity).observed, whole.observed, rtol=1e-4)
    np.testing.assert_allclose(jax.vmap(model)(flux, luminosity).observed, whole.observed, rtol=1e-4)
    assert model(flux.reshape(2, 3, -1), luminosity.reshape(2, 3)).observed.shape == (2, 3, len(LINES))
    gradient = jax.grad(lambda f: model(f, luminosity[0]).observed[0])(flux[0])
    step = np.float32(0.02)
    shift = jnp.zeros_like(flux[0]).at[1].set(step)
    slope = (model(flux[0] + shift, luminosity[0]).observed - model(flux[0] - shift, luminosity[0]).observed)[0] / (
        2 * step
    )
    np.testing.assert_allclose(gradient[1], slope, rtol=0.1, atol=0.02)


def test_the_chain_from_spectrum_to_lines_differentiates(trained):
    """Spectrum with lines, lines taken out, bins, colours, lines predicted: slopes of two changes of the spectrum."""
    model, _, table = trained
    wave = np.arange(3395.0, 7006.0, 5.0)
    weights, lines = jnp.asarray(continuum.bin_matrix(wave, BINS)), np.array([3728.5, 5008.2, 6564.6])
    stars = np.interp(wave, BINS.centres, table.flux_bins[0])
    emission = sum(20 * np.exp(-0.5 * ((wave / line - 1) * 299792.458 / 100) ** 2) for line in lines)
    spectrum, luminosity = jnp.asarray(stars + emission, jnp.float32), jnp.asarray(table.log_luminosity[0])

    @jax.jit
    def halpha(flux):
        bins = weights @ continuum.without_lines(wave, flux[None], lines)[0]
        return model(bins, luminosity).observed[0]

    gradient = np.asarray(jax.grad(halpha)(spectrum), float)
    changes = {"tilt": stars * (wave - 5200) / 1800, "blue bump": stars * np.exp(-0.5 * ((wave - 4700) / 200) ** 2)}
    for name, change in changes.items():
        # Two steps, whose combination leaves errors of the fourth order; float32 forbids smaller ones.
        slopes = [
            float(
                halpha(spectrum + jnp.asarray(s * change, jnp.float32))
                - halpha(spectrum - jnp.asarray(s * change, jnp.float32))
            )
            / (2 * s)
            for s in (0.02, 0.01)
        ]
        expected = (4 * slopes[1] - slopes[0]) / 3
        assert abs(expected) > 0.1, name
        np.testing.assert_allclose(gradient @ change, expected, rtol=0.02, err_msg=name)
    # What hides under a line does not count.
    core = np.abs(wave / 6564.6 - 1) * 299792.458 < 300
    assert core.any() and (gradient[core] == 0).all() and (gradient != 0).sum() > 0.8 * wave.size


def test_samples_follow_the_distribution(trained):
    model, _, table = trained
    one = model(jnp.asarray(np.repeat(table.flux_bins[:1], 4000, 0)), jnp.full((4000,), 40.0, jnp.float32))
    sample = jax.jit(model.sample)
    drawn = np.asarray(sample(one, jax.random.key(0)))
    np.testing.assert_allclose(np.median(drawn, 0), np.asarray(jax.jit(LineMixture.median)(one.mixture))[0], atol=0.05)
    noisy = np.asarray(sample(one, jax.random.key(0), jnp.full(drawn.shape, 3.0, jnp.float32)))
    assert (noisy.std(0) > drawn.std(0)).all() and (noisy >= 0).all()


@pytest.mark.parametrize("bad", [0.0, -1.0, np.nan, np.inf])
def test_bad_flux_gives_no_prediction_and_spoils_no_neighbour(trained, bad):
    model, _, table = trained
    flux = table.flux_bins[:3].copy()
    flux[1, 2] = bad
    found = model(flux, table.log_luminosity[:3])
    assert int(found.flag[1]) == PredictionFlag.BAD_FLUX and np.isnan(found.observed[1]).all()
    clean = model(table.flux_bins[:3], table.log_luminosity[:3])
    np.testing.assert_array_equal(found.observed[::2], clean.observed[::2])
    assert np.isnan(found.mixture.median()[1]).all()


def test_odd_luminosity_and_colours_are_flagged(trained):
    model, _, _ = trained
    flux = np.repeat(np.ones((1, BINS.n_bin), np.float32), 4, 0)
    flux[3, 0] = 1e4
    found = model(flux, np.array([40.0, 60.0, np.nan, 40.0], np.float32))
    assert found.flag.tolist() == [
        0,
        PredictionFlag.FAINT_OR_LUMINOUS,
        PredictionFlag.BAD_LUMINOSITY,
        PredictionFlag.STRANGE_COLOUR,
    ]
    observed = np.asarray(found.observed)
    assert np.isfinite(observed[[0, 1, 3]]).all() and np.isnan(observed[2]).all()


def test_wrong_questions_are_refused(trained):
    model, _, table = trained
    with pytest.raises(ModelError, match="needs 4 bins"):
        model(table.flux_bins[:, :3], table.log_luminosity)
    with pytest.raises(ModelError, match="not those of the model"):
        model(table.flux_bins, table.log_luminosity, bins=Bins.equal(3500, 7000, 4))
    with pytest.raises(ModelError, match="needs a log luminosity"):
        model(table.flux_bins)
    with pytest.raises(ModelError, match="does not know the line 'Hdelta'; it knows Halpha"):
        model.line("Hdelta")


def test_the_published_networks_train_on_colours_alone(tmp_path):
    table = table_of(400, luminosity=False)
    settings = EmulatorSettings(Architecture.published(), use_luminosity=False, batch_size=64, epochs=2)
    model, trained = train_emulator(table, split_table(table), settings, tmp_path, {})
    assert trained.history[-1]["loss"] < trained.history[0]["loss"]
    again = load(tmp_path / "model")
    assert np.isfinite(again(table.flux_bins).observed).all()
    # No unit matters where there are only colours.
    np.testing.assert_allclose(model(100 * table.flux_bins).observed, model(table.flux_bins).observed, atol=1e-3)
    with pytest.raises(ModelError, match="colours only"):
        model(table.flux_bins, np.zeros(400, np.float32))


def selu(x):
    """Scaled exponential linear unit of Klambauer et al. (2017)."""
    return 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(np.minimum(x, 0)))


def test_a_published_network_is_a_selu_perceptron_of_64_128_64_1_per_line():
    """Shapes of the layers; outputs beside a forward pass in NumPy."""
    n_feature, n_line, n_member = 12, 10, 2
    network = LineNetwork(Architecture.published()._replace(n_member=n_member), n_feature, n_line, nnx.Rngs(0))
    kernels, biases = (
        [np.array(getattr(layer, name)[...], float) for layer in network.layers] for name in ("kernel", "bias")
    )
    assert [kernel.shape[1:] for kernel in kernels] == [(12, 64), (64, 128), (128, 64), (64, 1)]
    assert all(len(kernel) == n_member * n_line for kernel in kernels)
    rng = np.random.default_rng(0)
    for layer, bias in zip(network.layers, biases, strict=True):
        bias += 0.3 * rng.standard_normal(bias.shape)
        layer.bias[...] = jnp.asarray(bias, jnp.float32)
    features = rng.standard_normal((5, n_feature))
    found = network(jnp.asarray(features, jnp.float32))
    for member, line in ((0, 0), (0, 7), (1, 9)):
        hidden, group = features, member * n_line + line
        for kernel, bias in zip(kernels[:-1], biases[:-1], strict=True):
            hidden = selu(hidden @ kernel[group] + bias[group])
        expected = (hidden @ kernels[-1][group] + biases[-1][group])[:, 0]
        np.testing.assert_allclose(found.observed[member, :, line], expected, atol=2e-5)
        np.testing.assert_allclose(found.mixture.mean[member, :, 0, line], expected, atol=2e-5)


def test_the_settings_of_the_training_are_those_of_the_configuration():
    wanted, run = EmulatorSettings(), Config()
    for name in ("batch_size", "epochs", "learning_rate", "weight_decay", "patience", "keep_best"):
        assert getattr(wanted, name) == getattr(run.emulator, name), name
    assert (wanted.seed, wanted.use_luminosity) == (run.seed, run.emulator.luminosity)
    shape = wanted.architecture
    assert (shape.kind, list(shape.hidden), shape.n_component) == (
        run.emulator.architecture,
        run.emulator.hidden,
        run.emulator.n_component,
    )


def test_a_table_that_cannot_train_is_refused(tmp_path):
    table = table_of(400, luminosity=False)
    with pytest.raises(TrainingError, match="no luminosity"):
        train_emulator(table, split_table(table), EmulatorSettings(), tmp_path, {})
    table.ew[:, 1] = np.nan
    with pytest.raises(TrainingError, match=r"OIII_5008 \(0\)"):
        train_emulator(table, split_table(table), EmulatorSettings(use_luminosity=False), tmp_path, {})


def test_lines_that_too_few_training_rows_measure_are_left_out():
    table = table_of(400)
    split = split_table(table)
    table.ew[:, 1] = np.nan
    table.ew[split.train[:49], 1] = 1.0
    assert scarce_lines(table.lines, table.take(split.train).measured) == {table.lines[1]: 49}
    assert trainable(table, split)[0].lines == (table.lines[0], *table.lines[2:])
    table.ew[split.train[49], 1] = 1.0
    assert trainable(table, split)[0].lines == table.lines


def test_the_split_goes_by_the_hash_of_the_identifier(tmp_path):
    table = table_of(300)
    split = split_table(table)
    expected = [
        i for i, n in enumerate(table.identifier) if int(hashlib.sha256(n.encode()).hexdigest()[:8], 16) % 5 == 0
    ]
    assert split.test.tolist() == expected
    assert sorted(np.concatenate(split)) == list(range(300))
    with pytest.raises(CatalogueError, match="does not exist"):
        read_prepared(tmp_path / "none.h5")
