"""Which latents an autoencoder uses."""

import numpy as np

from mangrove.models.convlstm.design import VAE

#: Share of a variance that a latent in use exceeds: of the prior's, 1, as Burda, Grosse & Salakhutdinov (2016,
#: arXiv:1509.00519, section 5); of the largest one's where there is no prior.
_LEAST_SHARE = 0.01


def active_latents(network: str, latent: np.ndarray) -> np.ndarray:
    """Whether each latent is in use, bool of shape (latent,).

    It is where its variance over cubes exceeds 0.01 of the prior's variance (``vae``), or of the largest latent's
    (``ae``).

    Parameters
    ----------
    network : {"ae", "vae"}
    latent : ndarray, shape (n, latent)
        Of training cubes; of the variational network, the means. Cubes with NaN are left out.
    """
    known = latent[np.isfinite(latent).all(axis=1)].astype(np.float64)
    variance = known.var(axis=0) if len(known) else np.zeros(latent.shape[1])
    return variance > _LEAST_SHARE * (1.0 if network == VAE else variance.max(initial=0.0))
