"""Rows of sample sheets."""

from mangrove.survey.galaxy import Galaxy


def galaxies(n: int, first_z: float = 0.05) -> list[Galaxy]:
    """So many galaxies of the sky, all different."""
    return [
        Galaxy(
            plateifu=f"{7000 + i // 100}-{12700 + i % 100}",
            mangaid=f"1-{100_000 + i}",
            z=0.01 + 1e-5 * i if i else first_z,
            ebv=0.03,
            ra=0.036 * i,
            dec=30.0 - 0.003 * i,
            r_e=5.0,
            pa=0.018 * i,
            ba=0.7,
        )
        for i in range(n)
    ]
