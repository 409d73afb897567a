"""Configuration files of any content: the values that they set, or a ConfigError that names the file."""

import pytest
import yaml
from fuzzing import damaged, fuzzed, outcome
from hypothesis import example, given
from hypothesis import strategies as st

from mangrove import config_files
from mangrove.config import Config
from mangrove.config_values import is_section
from mangrove.errors import ConfigError
from mangrove.generate import default_config

KEYS = [
    (section, name)
    for section, field in Config.model_fields.items()
    if is_section(field.annotation)
    for name in field.annotation.model_fields
]
WORDS = st.text(alphabet="abz019.-_~$/:{}[]&*!|>%@`'\"#,? \n\t\xe9\u2028", max_size=12)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | WORDS | st.dates()
ANYTHING = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3))


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return tmp_path_factory.mktemp("config") / "mine.yaml"


def load(file, content: bytes) -> Config | None:
    """The configuration of a file over the defaults, if it is one."""
    file.write_bytes(content)
    return outcome(ConfigError, config_files.load, [file])


@fuzzed(25, 16.0)
@given(content=damaged([default_config().encode()], head=20_000))
def test_damaged_defaults(file, content):
    load(file, content)


@fuzzed(50, 2.0)
@given(content=st.binary(max_size=200) | WORDS.map(str.encode))
@example(content=b"[" * 500)
@example(content=b"a: " + b"{a: " * 500 + b"1" + b"}" * 500)
@example(
    content=b"a: &a [x, x, x, x, x, x, x, x, x]\n"
    + b"".join(b"%c: &%c [%s]\n" % (c + 1, c + 1, b", ".join([b"*%c" % c] * 9)) for c in range(97, 117))
)
@example(content=b"a: &a\n  b: *a\n")
@example(content=b"seed: " + b"9" * 5000)
@example(content=b"run: 2024-99-99\n")
@example(content=b"? [a, b]\n: 1\n")
@example(content=b"survey: !!python/object/apply:os.system [exit]\n")
@example(content=b"seed: 1:99:99999999999999999\n")
def test_anything(file, content):
    load(file, content)


@fuzzed(40, 8.0)
@example(changes=[(("survey", "keep_cubes"), 0.0)])
@given(changes=st.lists(st.tuples(st.sampled_from(KEYS), ANYTHING), min_size=1, max_size=3))
def test_any_value_of_any_key(file, changes):
    """What is taken is in the configuration as YAML reads it, and the configuration holds its own promises."""
    given: dict = {}
    for (section, key), value in changes:
        given.setdefault(section, {})[key] = value
    content = yaml.safe_dump(given, allow_unicode=True).encode()
    found = load(file, content)
    if found is None:
        return
    assert Config.model_validate(found.model_dump()) == found
    for section, values in given.items():
        for key, value in values.items():
            taken = getattr(getattr(found, section), key)
            if isinstance(value, bool | int | float) and not isinstance(taken, str):
                assert taken == value and isinstance(taken, bool) == isinstance(value, bool)
