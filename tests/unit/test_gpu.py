"""When jobs ask for a GPU."""

import pytest

from mangrove import gpu


@pytest.mark.parametrize(
    ("devices", "plugins", "platforms", "expected"),
    [
        ([__file__], ["cuda"], None, True),
        (["/nowhere", __file__], ["rocm"], "cuda,cpu", True),
        ([__file__], ["cuda"], "cpu", False),
        ([__file__], [], None, False),
        (["/nowhere"], ["cuda"], None, False),
    ],
)
def test_a_gpu_needs_a_device_and_a_jax_for_it(monkeypatch, devices, plugins, platforms, expected):
    monkeypatch.setattr(gpu, "DEVICES", devices)
    monkeypatch.setattr(gpu, "entry_points", lambda group: plugins if group == "jax_plugins" else [])
    monkeypatch.delenv("JAX_PLATFORMS", raising=False)
    if platforms:
        monkeypatch.setenv("JAX_PLATFORMS", platforms)
    assert gpu.has_gpu() == expected
