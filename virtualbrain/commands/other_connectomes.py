"""Explain a fitted patient with other connectomes, for the command `degeneracy`."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from virtualbrain.commands.console import err_console
from virtualbrain.config import settings_from
from virtualbrain.errors import InputError
from virtualbrain.io.layout import PatientLayout

if TYPE_CHECKING:
    from inference.onsets.fit import OnsetSample
    from inference.population import Population
    from inference.problem import Problem

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Asked:
    """The options of the command: a folder of connectomes, variants, connections to remove."""

    folder: Path | None
    variants: int
    removed: tuple[tuple[str, ...], ...]


def asked_connectomes(options: argparse.Namespace) -> Asked | None:
    """Return the wanted connectomes; None if no option asks for any.

    Raises
    ------
    InputError
        The number of variants is negative.
    """
    if options.connectome_variants < 0:
        raise InputError(
            f"{options.connectome_variants} variants",
            where="--connectome-variants",
            expected="0 or more",
        )
    removed = tuple(
        tuple(name.strip() for name in names.split(",") if name.strip())
        for names in options.without_connections or ()
    )
    folder = Path(options.connectomes) if options.connectomes is not None else None
    if folder is None and not options.connectome_variants and not removed:
        return None
    return Asked(folder, options.connectome_variants, removed)


def persons_of(
    layout: PatientLayout, problem: "Problem", asked: Asked, config: Mapping[str, Any]
) -> dict[str, Array]:
    """Return the weights of other persons as a fit would use them, and check what is to be removed.

    Evoked responses change them as they changed the patient's own, where `inference` says so.
    """
    from inference.connectome_variants import without
    from inference.evoked_weights import with_evoked_responses
    from virtualbrain.io.connectome_collection import read_connectomes
    from virtualbrain.io.evoked import read_pairs

    for names in asked.removed:
        without(problem.weights, names, problem.regions)
    if asked.folder is None:
        return {}
    regions = tuple(problem.regions)
    found = read_connectomes(asked.folder, regions)
    pairs = read_pairs(layout) if config["inference"]["evoked_responses"] else None
    return {
        name: with_evoked_responses(one.weights, regions, pairs).weights
        for name, one in found.items()
    }


def other_connectomes(
    layout: PatientLayout, name: str, sample: "OnsetSample", asked: Asked,
    persons: dict[str, Array], config: dict[str, Any],
) -> tuple[str, ...]:  # fmt: skip
    """Fit the other connectomes, write the table, and return its sentences."""
    from rich.progress import Progress

    from inference.population import Wanted, refit
    from virtualbrain.io.fit_results import load_other_connectomes
    from virtualbrain.report.other_connectomes import sentences
    from virtualbrain.surgery.settings import SurgerySettings
    from virtualbrain.surgery.zone_plans import plan_of, zone_list_of

    surgery = settings_from(config["surgery"], SurgerySettings, "surgery")
    regions = sample.density.problem.regions
    with Progress(console=err_console, transient=True) as bar:
        task = bar.add_task(f"sub-{layout.label}", total=1.0)
        found = refit(
            sample,
            Wanted(persons, asked.variants, asked.removed, _centres(layout, regions)),
            plan_of(surgery, regions),
            zone_list_of(surgery, regions),
            config["seed"],
            lambda step, fraction: bar.update(task, description=step, completed=fraction),
        )
    _write(layout, name, found, config)
    read = load_other_connectomes(layout.other_connectomes(name), layout.posterior(name))
    return sentences(read, str)


def _centres(layout: PatientLayout, regions: Sequence[str]) -> Array:
    """Return the centres of the regions, mm; not a number where the connectome has none."""
    from virtualbrain.io.tables import read_table

    table = read_table(layout.connectome_regions).set_index("name")
    return table.loc[list(regions), ["x", "y", "z"]].to_numpy(float)


def _write(layout: PatientLayout, priors: str, found: "Population", config: dict[str, Any]) -> None:
    from inference.ablation import CHAINS, DRAWS, MOVES
    from inference.answers import CLEAR
    from inference.connectome_variants import LOG_SD, WEAKEST
    from inference.full_sample import MOVES as MOVES_OWN
    from virtualbrain.io.provenance import sidecar_of_fit
    from virtualbrain.io.tables import write_table

    about = sidecar_of_fit(layout, priors, config, ("inference", "surgery", "seed"))
    fits = {"MovesOwn": MOVES_OWN, "Moves": MOVES, "Draws": DRAWS, "Chains": CHAINS}
    rules = {"LogSd": LOG_SD, "Weakest": WEAKEST, "ClearErrors": CLEAR}
    regions = {"Zone": list(found.zone), "Recruited": list(found.recruited)}
    effects = {"Effects": found.effects.to_dict("records")}
    path = layout.other_connectomes(priors)
    write_table(path, found.table, {**about, **fits, **rules, **regions, **effects})
