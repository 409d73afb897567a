"""What a job of batched fits asks for."""

import pytest

from mangrove.spectra.fit.batched.memory import job_memory

#: Snakemake's own part, MB.
SNAKEMAKE = 300


@pytest.mark.parametrize(
    ("n_template", "n_process", "on_gpu", "measured"),
    [(54, 1, False, 1305), (54, 2, False, 1776), (216, 1, False, 1426), (650, 1, False, 1497), (54, 1, True, 7082)],
)
def test_a_job_asks_for_what_it_was_measured_to_take_and_no_more_than_half_as_much_again(
    n_template, n_process, on_gpu, measured
):
    taken = SNAKEMAKE + measured
    assert 1.05 * taken < job_memory(n_template, n_process, on_gpu) < 1.5 * taken


def test_more_processes_and_larger_libraries_ask_for_more_up_to_the_groups_that_are_held():
    assert job_memory(54, 4) - job_memory(54, 3) == job_memory(54, 2) - job_memory(54, 1) > 0
    assert job_memory(54, 4) < job_memory(650, 4) < job_memory(2000, 4)
    assert job_memory(10_000, 4) == job_memory(100_000, 4)
    assert job_memory(54, 1, on_gpu=True) > job_memory(54, 1)
