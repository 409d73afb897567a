"""Every write a fault: whichever write of a step fails or is the last one, no file is half there, and a rerun heals.

MANGROVE_FAULTS sets how many writes of every step fail, a seeded choice, or 'all' of them; without it, a few of some
steps do. Each of them fails with one of three errors in turn: no space from then on, no space once, an error of the disk. At every
third, SIGKILL comes in another run.
"""

import os
import random
from collections import Counter

from steps import ERRORS, KILL, Fault, Steps

#: Writes that fail in the tests of every day, by step: HDF5; checkpoints and models; figures and tables.
SOME = {"line_cube": 5, "agn": 2, "desom_train": 2, "survey_figures": 1}
FAULTS = os.environ.get("MANGROVE_FAULTS", "")
#: Of the writes that fail, one in so many is the last one of a killed run as well.
_KILL_EVERY = 3


def test_no_write_that_fails_leaves_a_partial_result(steps):
    outcomes, problems = Counter(), []
    for job in chosen_jobs(steps):
        faults = chosen_faults(steps.jobs[job]["rule"], writes_of(steps, job))
        tally = Counter(faults=0, reruns=0, processor=0.0)
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
                tally["faults"] += 1
                outcomes[fault.kind, outcome(told["exit"])] += 1
        print(
            f"{steps.label(job)}: {tally['faults']} of {len(faults)} faults came and were healed, seen in {tally['reruns']} reruns; "
            f"{tally['processor'] / len(faults):.2f} s of a processor each",
            flush=True,
        )
    for (kind, how), n in sorted(outcomes.items()):
        print(f"{n} times {kind}: the step {how}")
    print(f"{outcomes.total()} faults injected")
    assert not problems, "\n\n".join(problems)
    assert sum(outcomes.values()) >= sum(SOME.values())


def chosen_jobs(steps: Steps) -> list[int]:
    """Jobs whose writes fail."""
    return list(range(len(steps.jobs))) if FAULTS else [steps.named(rule) for rule in SOME]


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
