"""What the recording fixes of the parameters of a fitted patient, for the command `degeneracy`."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from virtualbrain.io.layout import PatientLayout

if TYPE_CHECKING:
    from inference.onsets.fit import OnsetSample


def identify(
    layout: PatientLayout, name: str, sample: "OnsetSample", config: Mapping[str, Any]
) -> tuple[str, ...]:
    """Compare the posterior of the run with its prior, write the table, and return its sentences.

    Parameters
    ----------
    layout : PatientLayout
        Files of the patient.
    name : str
        Prior set.
    sample : OnsetSample
        Holds problem, priors and rules; its draws are not read.
    config : mapping
        The configuration.
    """
    from inference.identifiability import N_PRIOR, identifiability, leading_regions
    from inference.onsets.prior_draws import prior_draws
    from inference.posterior import load
    from virtualbrain.io.fit_results import load_identifiability
    from virtualbrain.io.provenance import sidecar_of_fit
    from virtualbrain.io.tables import write_table
    from virtualbrain.report.identifiability import sentences

    path, fitted = layout.identifiability(name), layout.posterior(name)
    posterior = load(fitted)
    leading, _ = leading_regions(posterior)
    prior = prior_draws(sample, N_PRIOR, leading, np.random.default_rng([config["seed"], 2]))
    about = sidecar_of_fit(layout, name, config, ("inference", "seed"))
    about |= {"PriorDraws": N_PRIOR, "Leading": leading}
    write_table(path, identifiability(posterior, prior), about)
    return sentences(load_identifiability(path, fitted).rows, str)
