"""What an address of the view of anomalies says, and the code that gives the same numbers."""

import shlex
from typing import NamedTuple

from mangrove.explorer.address import Address
from mangrove.explorer.anomaly_cloud import colour_choices
from mangrove.explorer.explored_run import ExploredRun
from mangrove.explorer.scored_galaxies import ScoredGalaxies, networks, scored_galaxies
from mangrove.notebook.latent_space import SPACES


class AnomalyChoice(NamedTuple):
    """What an address shows of the anomalies: names of network, score, colour and space, and the selected galaxy."""

    network: str
    score: str
    colour: str
    space: str
    selected: int | None


def choice_of(run: ExploredRun, address: Address) -> tuple[ScoredGalaxies, AnomalyChoice]:
    """The galaxies and choices of an address of this view; what it does not know it ignores."""
    known = networks(run)
    network = address.one_of("network", known, known[0])
    scored = scored_galaxies(run, network)
    colours = colour_choices(scored)
    return scored, AnomalyChoice(
        network=network,
        score=address.one_of("score", scored.scores, scored.scores[0]),
        colour=address.one_of("colour", colours, "score"),
        space=address.one_of("space", SPACES, "latent"),
        selected=scored.index(address.query.get("galaxy", "")),
    )


def code_of(run: ExploredRun, choice: AnomalyChoice, scored: ScoredGalaxies) -> tuple[str, str]:
    """Python lines and commands that give the numbers of a choice."""
    network, score = choice.network, choice.score
    lines = ["from mangrove.api import open_run", "", f"run = open_run({str(run.folder)!r})"]
    lines += [f"galaxies = run.anomalies({network!r}, {score!r})"]
    lines += [f'print(galaxies["plateifu", {score!r}, "causes", "reason"][:20])']
    if run.path("latent_embedding", network=network).is_file():
        lines += [f"places = run.embedding({network!r})"]
    folder = shlex.quote(str(run.folder))
    commands = [f"mangrove anomalies {folder} --network {network} --score {score}"]
    if choice.selected is not None and run.path("neighbours", network=network).is_file():
        name = str(scored.plateifu[choice.selected])
        lines += [f"alike = run.neighbours({name!r}, {network!r}, {choice.space!r})"]
        commands += [f"mangrove neighbours {name} {folder} --network {network} --space {choice.space}"]
    return "\n".join(lines), "\n".join(commands)
