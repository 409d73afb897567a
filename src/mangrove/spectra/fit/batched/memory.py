"""Memory that a job takes which fits a chunk of galaxies, for whoever must ask for it beforehand."""

#: Snakemake, which runs beside the job; the process that reads and writes; and each process that fits, MB.
_SNAKEMAKE, _MAIN, _PROCESS = 300, 700, 700
#: For each template in each process that fits: its copies for the galaxies that are read, fitted and written at once, MB.
_TEMPLATE = 1.5
#: No more than three groups of galaxies are in memory, for each process that fits, MB (``chunk.GROUP_BYTES``).
_GROUPS = 3 * 1100
#: What the libraries of a GPU take of the computer's memory, and groups that fill its batches, MB.
_GPU = 6000


def job_memory(n_template: int, n_process: int, on_gpu: bool = False) -> int:
    """Memory of a job, MB.

    On a CPU it hardly depends on the batches, whose spectra are solved one by one. Measured without Snakemake, MB of
    resident memory: 1,305 with 54 templates and 1,776 where two processes share the galaxies; 1,426 with 216 templates,
    1,497 with 650. Beside an H200 7,082 (54 templates), in a process that had simulated its 2,048 spectra as well.

    Parameters
    ----------
    n_template : int
        Of the library.
    n_process : int
        Processes that share the galaxies of the chunk; one beside a GPU.
    on_gpu : bool
        Whether a GPU solves the batches.
    """
    of_process = _PROCESS + min(_TEMPLATE * n_template, _GROUPS)
    return round(_SNAKEMAKE + _MAIN + n_process * of_process + on_gpu * _GPU)
