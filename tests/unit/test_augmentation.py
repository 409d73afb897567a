"""The copies of line cubes that the autoencoders are trained on."""

import jax
import numpy as np
import pytest

from mangrove import artefacts
from mangrove.codes import Split
from mangrove.data_model import LINE_CUBE_SET
from mangrove.models.convlstm.augmentation import augmented
from mangrove.models.convlstm.copies import Copy, draw_copies
from mangrove.models.convlstm.flips import N_DIHEDRAL, dihedral

SIZE = 8
SHAPE = (2, 3, SIZE, SIZE)
SAME = Copy(flip=0, quarter_turns=0, shift_y=0, shift_x=0, noise_seed=0)


def cubes(n: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Flux, inverse variance and validity of n cubes, a tenth of the values invalid."""
    rng = np.random.default_rng(seed)
    valid = rng.random((n, *SHAPE)) > 0.1
    flux, ivar = rng.normal(5, 1, valid.shape), rng.uniform(0.1, 10, valid.shape)
    return *((valid * values).astype(np.float32) for values in (flux, ivar)), valid


def batch(copies: list[Copy]) -> Copy:
    """Copies, one a cube."""
    return Copy(
        *(np.array(values, np.uint32 if i == 4 else np.int16) for i, values in enumerate(zip(*copies, strict=True)))
    )


def copied(cube: tuple, copies: list[Copy], noise_scale: float = 1.0) -> list[np.ndarray]:
    """The same cubes under several copies, compiled as in a training step."""
    made = jax.jit(lambda *arrays: augmented(*arrays, noise_scale))
    return [np.asarray(values) for values in made(*cube, batch(copies))]


def in_numpy(values: np.ndarray, copy: Copy) -> np.ndarray:
    """One cube's array, flipped, turned and shifted spaxel by spaxel."""
    turned = np.rot90(np.flip(values, -1) if copy.flip else values, copy.quarter_turns, (-2, -1))
    out = np.zeros_like(values)
    for y in range(SIZE):
        for x in range(SIZE):
            to_y, to_x = y + copy.shift_y, x + copy.shift_x
            if 0 <= to_y < SIZE and 0 <= to_x < SIZE:
                out[..., to_y, to_x] = turned[..., y, x]
    return out


MOVES = [
    SAME,
    SAME._replace(flip=1),
    *(SAME._replace(quarter_turns=k) for k in (1, 2, 3)),
    SAME._replace(shift_y=3),
    SAME._replace(shift_x=-2),
    SAME._replace(shift_y=-5, shift_x=5),
    Copy(flip=1, quarter_turns=3, shift_y=2, shift_x=-1, noise_seed=0),
    SAME._replace(shift_y=SIZE),
]


@pytest.fixture(scope="module")
def moved():
    """Cubes, and what each of MOVES made of its one."""
    given = cubes(len(MOVES))
    return given, copied(given, MOVES)


@pytest.mark.parametrize("i", range(len(MOVES)), ids=[str(tuple(copy)) for copy in MOVES])
def test_each_transformation_is_the_plain_one_and_masks_move_along(moved, i):
    for given, made in zip(*moved, strict=True):
        assert made.dtype == given.dtype
        np.testing.assert_array_equal(made[i], in_numpy(given[i], MOVES[i]))


def test_a_shift_brings_in_no_data_and_never_wraps_around(moved):
    _, (flux, ivar, valid) = moved
    i = MOVES.index(SAME._replace(shift_y=3))
    for made in (flux, ivar, valid):
        assert not made[i, ..., :3, :].any()
        assert made[i, ..., 3:, :].any()
    beyond = MOVES.index(SAME._replace(shift_y=SIZE))
    assert not valid[beyond].any() and not flux[beyond].any()


def test_the_eight_flips_and_turns_are_distinct_and_a_group():
    image = np.arange(9).reshape(3, 3)
    made = [dihedral(image, k).tobytes() for k in range(N_DIHEDRAL)]
    assert len(set(made)) == N_DIHEDRAL
    np.testing.assert_array_equal(dihedral(image, 0), image)
    np.testing.assert_array_equal(dihedral(image, 1), np.rot90(image))
    np.testing.assert_array_equal(dihedral(image, 6), np.rot90(np.fliplr(image), 2))
    for a in range(N_DIHEDRAL):
        products = {dihedral(dihedral(image, a), b).tobytes() for b in range(N_DIHEDRAL)}
        assert products == set(made)


@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_the_noise_has_the_variance_that_the_inverse_variance_says(scale):
    n = 200
    flux, ivar, valid = (np.repeat(values, n, axis=0) for values in cubes(1))
    seeds = [SAME._replace(noise_seed=k + 1) for k in range(n)]
    noisy, new_ivar, still = copied((flux, ivar, valid), seeds, scale)
    np.testing.assert_array_equal(still, valid)
    assert not noisy[~valid].any() and not new_ivar[~valid].any()
    deviates = ((noisy - flux)[valid] * np.sqrt(ivar[valid])) / scale
    # 69,000 standard normal deviates: mean and variance within 5 of their own standard errors.
    assert abs(deviates.mean()) < 5 / np.sqrt(deviates.size)
    assert abs(deviates.var() - 1) < 5 * np.sqrt(2 / deviates.size)
    # Every value has the variance of its own ivar: the scatter over the seeds, within 6 of its standard errors (384 values).
    ratio = (noisy - flux).var(axis=0)[valid[0]] * ivar[0][valid[0]] / scale**2
    assert np.abs(ratio - 1).max() < 6 * np.sqrt(2 / n)
    np.testing.assert_allclose(1 / new_ivar[valid], (1 + scale**2) / ivar[valid], rtol=1e-6)


def test_the_noise_of_a_copy_depends_on_its_seed_alone():
    given = tuple(np.repeat(values, 3, axis=0) for values in cubes(1))
    made = copied(given, [SAME._replace(noise_seed=k) for k in (7, 8, 7)])[0]
    np.testing.assert_array_equal(made[0], made[2])
    assert (made[0] != made[1])[given[2][0]].all()
    alone = copied(tuple(values[:1] for values in given), [SAME._replace(noise_seed=7)])[0]
    np.testing.assert_allclose(alone[0], made[0], rtol=1e-6)


def test_a_copy_without_a_seed_or_a_scale_has_no_noise():
    given = cubes(2)
    for copies, scale in (([SAME] * 2, 1.0), ([SAME._replace(noise_seed=5)] * 2, 0.0)):
        for values, made in zip(given, copied(given, copies, scale), strict=True):
            np.testing.assert_array_equal(made, values)


def test_a_cube_without_valid_values_stays_so():
    nothing = np.zeros((1, *SHAPE), np.float32), np.zeros((1, *SHAPE), np.float32), np.zeros((1, *SHAPE), bool)
    for made in copied(nothing, [Copy(flip=1, quarter_turns=1, shift_y=2, shift_x=1, noise_seed=9)]):
        assert not made.any()


NAMES = [f"8626-{number}" for number in range(300)]


def test_drawn_copies_are_uniform_within_their_ranges_and_the_first_is_the_cube_itself():
    drawn = draw_copies(NAMES, copies=3, max_shift=5, noise_scale=1.0, seed=1)
    assert all(not values[:, 0].any() for values in drawn)
    random = [values[:, 1:].ravel() for values in drawn]
    assert [set(values) for values in random[:4]] == [set(range(2)), set(range(4)), *[set(range(-5, 6))] * 2]
    # 900 draws of 11 shifts: each 82 times, by 6 standard deviations.
    assert np.abs(np.bincount(random[2] + 5) - 900 / 11).max() < 6 * np.sqrt(900 / 11)
    assert len(set(random[4])) == 900 and 0 not in random[4]


def test_copies_depend_on_the_seed_and_the_galaxy_not_on_its_order_or_company():
    options = {"copies": 3, "max_shift": 5, "noise_scale": 1.0}
    drawn, again, other = (draw_copies(NAMES, **options, seed=seed) for seed in (1, 1, 2))
    alone = draw_copies(NAMES[:3:-1], **options, seed=1)
    more = draw_copies(NAMES, **{**options, "copies": 5}, seed=1)
    for values, same, differing, few, many in zip(drawn, again, other, alone, more, strict=True):
        np.testing.assert_array_equal(values, same)
        np.testing.assert_array_equal(values[:3:-1], few)
        np.testing.assert_array_equal(values, many[:, :4])
        assert (values != differing).any()


def test_no_noise_and_no_shift_where_none_is_wanted():
    drawn = draw_copies(NAMES, copies=2, max_shift=0, noise_scale=0.0, seed=1)
    assert not drawn.shift_y.any() and not drawn.shift_x.any() and not drawn.noise_seed.any()
    assert drawn.flip.any()


def write_set(path, names: list[str]) -> None:
    """An artefact 'line_cube_set' with nothing in its cubes."""
    sizes = {"plateifu": len(names), "line": 2, "window_pixel": 3, "spaxel_y": SIZE, "spaxel_x": SIZE}
    attrs = {"status": "ok" if names else "empty", "reason": "" if names else "no galaxy has a line cube"}
    with artefacts.writer(path, "line_cube_set", sizes, artefacts.Provenance(), attrs) as out:
        out["line"][...] = ["a", "b"]
        if names:
            out["plateifu"][...], out["mangaid"][...], out["split"][...] = names, names, Split.TEST
    assert set(sizes) >= {dim for field in LINE_CUBE_SET.fields.values() for dim in field.dims}


@pytest.mark.parametrize("names", [NAMES[:4], []], ids=["galaxies", "none"])
def test_the_rule_writes_the_drawn_copies(tmp_path, script, Params, names):
    paths = Params(line_cube_set=str(tmp_path / "set.h5"), augmentation=str(tmp_path / "augmentation.h5"))
    write_set(paths.line_cube_set, names)
    params = Params(copies=3, max_shift=2, noise_scale=0.5, seed=4)
    script("augmentation").main(paths, paths, params)
    table = artefacts.read(paths.augmentation, "augmentation")
    assert table.ok == bool(names) and (table.attrs["seed"], table.attrs["noise_scale"]) == (4, 0.5)
    assert list(table["plateifu"]) == names and set(table["split"]) <= {Split.TEST}
    for name, values in draw_copies(names, **params)._asdict().items():
        np.testing.assert_array_equal(table[name], values)
