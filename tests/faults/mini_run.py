"""The mini run: its checkout, what two runs of it must have in common, and what an interrupted one must be free of."""

from pathlib import Path

from workflow.conftest import Plan, Workspace, make_workspace, sheet

CONFIG = "configs/mini.yaml"
GALAXIES = "9001-1902", "9002-1901"
#: Files of a run that tell of times, dates and the machine, so that no two runs have them alike.
TIMED = {"metrics.jsonl", "timings.csv", "overview.csv", "overview.html", "provenance.json"}


class MiniRun(Workspace):
    """A checkout with the configuration and the galaxies of the mini run."""

    def __init__(self, folder: Path):
        super().__init__(folder)
        self.run = folder / "results" / "mini"

    @classmethod
    def in_new_checkout(cls, folder: Path) -> "MiniRun":
        """Copy the checkout; nothing has run in the copy."""
        make_workspace(folder)
        mini = cls(folder)
        mini.write(CONFIG, Path(__file__).with_name("mini.yaml").read_text(encoding="utf-8"))
        mini.write("samples/mini.tsv", sheet(*GALAXIES))
        return mini

    def command(self, *arguments: str, config: str = CONFIG) -> list[str]:
        """The command line of snakemake, of the mini run by default."""
        return super().command(*arguments, config=config)

    def snakemake(self, *arguments: str, config: str = CONFIG, check: bool = True):
        """Run snakemake, of the mini run by default."""
        return super().snakemake(*arguments, config=config, check=check)

    def planned(self, *arguments: str, config: str = CONFIG) -> Plan:
        """What a dry run says it would do, of the mini run by default."""
        return super().planned(*arguments, config=config)

    def products(self) -> dict[str, bytes]:
        """Contents of all that the run made for keeping, by name: artefacts, models, tables, figures, cubes.

        Left out are logs, benchmarks, and :data:`TIMED`.
        """
        files = [*self.run.rglob("*"), *self.folder.joinpath("data", "mini").rglob("*")]
        aside = {self.run / "logs", self.run / "benchmarks"}
        kept = [f for f in files if f.is_file() and f.name not in TIMED and not aside & {*f.parents}]
        return {str(path.relative_to(self.folder)): path.read_bytes() for path in kept}


def demand_equal(made: dict[str, bytes], expected: dict[str, bytes]) -> None:
    """The same files, byte for byte."""
    assert sorted(made) == sorted(expected)
    assert [name for name in expected if made[name] != expected[name]] == []
