"""Every write a fault: whichever write of a step fails or is the last one, no file is half there, and a rerun heals.

MANGROVE_FAULTS sets how many writes of every step fail, a seeded choice, or 'all' of them; without it, a few of some
steps do. Each of them fails with one of three errors in turn: no space from then on, no space once, an error of the disk. At every
third, SIGKILL comes in another run.
"""

import os
import random
from collections import Counter

import pytest
from steps import ERRORS, KILL, Fault, Steps

#: Writes that fail in the tests of every day, by rule: HDF5; checkpoints and models; figures and tables.
SOME = {"line_cube": 5, "agn": 2, "desom_train": 2, "survey_figures": 1}
#: Rules of the mini run.
RULES = [
    "simulate",
    "download",
    "extract",
    "line_cube",
    "line_cube_set",
    "training_spectra",
    "fit_batched_all",
    "labels",
    "survey_figures",
    "galaxy_figures",
    "recovery",
    "label_recovery",
    "known_populations",
    "desom_train",
    "desom_assign",
    "desom_maps",
    "desom_quality",
    "template_labels",
    "fingerprints",
    "desom_figures",
    "galaxy_map_train",
    "galaxy_map_assign",
    "galaxy_map_figures",
    "desom_truth",
    "augmentation",
    "autoencoder_train",
    "latents",
    "anomalies",
    "embedding",
    "neighbours",
    "agn",
    "autoencoder_figures",
    "planted_anomalies",
    "digest",
    "overview",
    "provenance",
]
FAULTS = os.environ.get("MANGROVE_FAULTS", "")
#: Of the writes that fail, one in so many is the last one of a killed run as well.
_KILL_EVERY = 3


@pytest.mark.parametrize("rule", RULES if FAULTS else SOME)
def test_no_write_that_fails_leaves_a_partial_result(steps, rule):
    problems, n_fault = [], 0
    for job in (i for i, one in enumerate(steps.jobs) if one["rule"] == rule):
        faults = chosen_faults(rule, writes_of(steps, job))
        tally = Counter(reruns=0, processor=0.0)
        outcomes = Counter()
        for fault in faults:
            try:
                told = steps.survive(job, fault)
            except AssertionError as problem:
                problems.append(str(problem))
                print(f"PROBLEM {problem}", flush=True)
                continue
            tally.update({"reruns": told["reruns"], "processor": told["processor"]})
            # A training makes fewer checkpoints, and so fewer writes, when it is quick.
            if told["writes"] is None or told["writes"] >= fault.nth:
                outcomes[f"{fault.kind}: {outcome(told['exit'])}"] += 1
        n_fault += outcomes.total()
        print(
            f"{steps.label(job)}: {outcomes.total()} of {len(faults)} faults came and were healed, seen in {tally['reruns']} reruns; "
            f"{tally['processor'] / len(faults):.2f} s of a processor each ({dict(sorted(outcomes.items()))})",
            flush=True,
        )
    assert not problems, "\n\n".join(problems)
    assert n_fault >= SOME.get(rule, 1)


def test_every_rule_is_tried(steps):
    assert {job["rule"] for job in steps.jobs} == {*RULES} and len(RULES) == len({*RULES})


def writes_of(steps: Steps, job: int) -> int:
    """Number of writes of a step once JAX has its programs."""
    with steps.kept(job):
        for _ in range(2):
            told = steps.ask(job)
            assert told["exit"] == 0, steps.messages()
    return told["writes"]


def chosen_faults(rule: str, n_write: int) -> list[Fault]:
    """Which of a step's writes fail, and how."""
    n = n_write if FAULTS == "all" else int(FAULTS or SOME[rule])
    chosen = sorted(random.Random(f"writes of {rule}").sample(range(1, n_write + 1), min(n, n_write)))
    failing = [ERRORS[i % len(ERRORS)]._replace(nth=nth) for i, nth in enumerate(chosen)]
    return failing + [KILL._replace(nth=nth) for nth in chosen[::_KILL_EVERY]]


def outcome(status: int) -> str:
    """What became of a step."""
    if status < 0:
        return f"died by signal {-status}"
    return "failed" if status else "did without"
