"""The engines of the fit under one signature: tests of truth hold both to the same limits."""

from types import SimpleNamespace

from mangrove.spectra.fit.engines import fit_all

ENGINES = ("batched", "ppxf")
#: Results of an engine, by its name, for spectra of a galaxy.
fitted = fit_all


def fitted_on_disk(script, engine, extracts, fits, params):
    """Write artefacts 'fit' of extracts by the script of an engine.

    Parameters
    ----------
    script : callable
        Gives a script of the workflow (fixture of that name).
    extracts, fits : list of path-like
        In one order.
    params : dict of dict
        Those of each galaxy's fit, by the stem of the name of its file; they differ in z and ebv alone.
    """
    shared = dict(next(iter(params.values()))) | {"engine": engine}
    if engine == "ppxf":
        for extract, fit, own in zip(extracts, fits, params.values(), strict=True):
            script("fit").main(SimpleNamespace(extract=extract), SimpleNamespace(fit=fit), own | {"engine": engine})
        return
    shared |= {key: {name: own[key] for name, own in params.items()} for key in ("z", "ebv")}
    script("fit_batched").main(SimpleNamespace(extracts=extracts), SimpleNamespace(fits=fits), shared)
