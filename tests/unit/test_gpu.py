"""When jobs ask for a GPU."""

import pytest

from mangrove import gpu


@pytest.mark.parametrize(
    ("devices", "plugins", "variables", "expected"),
    [
        ([__file__], ["cuda"], {}, True),
        (["/nowhere", __file__], ["rocm"], {"JAX_PLATFORMS": "cuda,cpu"}, True),
        ([__file__], ["cuda"], {"CUDA_VISIBLE_DEVICES": "0,1"}, True),
        ([__file__], ["cuda"], {"CUDA_VISIBLE_DEVICES": "GPU-8932f937,-1"}, True),
        ([__file__], ["cuda"], {"JAX_PLATFORMS": "cpu"}, False),
        ([__file__], ["cuda"], {"CUDA_VISIBLE_DEVICES": ""}, False),
        ([__file__], ["cuda"], {"CUDA_VISIBLE_DEVICES": "-1"}, False),
        ([__file__], [], {}, False),
        (["/nowhere"], ["cuda"], {}, False),
    ],
)
def test_a_gpu_needs_a_device_and_a_jax_for_it(monkeypatch, devices, plugins, variables, expected):
    monkeypatch.setattr(gpu, "DEVICES", devices)
    monkeypatch.setattr(gpu, "entry_points", lambda group: plugins if group == "jax_plugins" else [])
    for name in ("JAX_PLATFORMS", "CUDA_VISIBLE_DEVICES"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert gpu.has_gpu() == expected
