"""Which latents an autoencoder uses."""

import logging

import numpy as np

from mangrove.models.convlstm.design import AE, VAE

#: Share of a variance that a latent in use exceeds: of the prior's, 1, as Burda, Grosse & Salakhutdinov (2016,
#: arXiv:1509.00519, section 5); of the largest one's where there is no prior.
_LEAST_SHARE = 0.01
#: Fewer latents in use than this, or than all, are worth a warning; what helps against it.
_FEW = 5
_CURES = {
    VAE: "lower autoencoder.kl_weight, or raise autoencoder.kl_warmup",
    AE: "raise autoencoder.epochs or autoencoder.learning_rate",
}

log = logging.getLogger(__name__)


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


def warn_of_few(network: str, active: np.ndarray) -> None:
    """Warn in the log where few of the latents are in use, see :func:`active_latents`."""
    if active.sum() < min(_FEW, active.size):
        log.warning(
            "only %d of %d latents vary from galaxy to galaxy: the network does not tell them apart; %s.",
            active.sum(),
            active.size,
            _CURES[network],
        )
