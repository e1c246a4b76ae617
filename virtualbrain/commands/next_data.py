"""Value of new data of a fitted patient, for the command `degeneracy`."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from virtualbrain.config import settings_from
from virtualbrain.io.layout import PatientLayout

if TYPE_CHECKING:
    import pandas as pd

    from inference.next_candidates import Candidate, FittedPatient
    from inference.onsets.fit import OnsetSample
    from virtualbrain.io.anatomy import Anatomy
    from virtualbrain.seeg.trajectories import Inside


def next_data(
    layout: PatientLayout, name: str, sample: "OnsetSample", config: dict[str, Any]
) -> "pd.DataFrame":
    """Return the value of feasible electrodes and of other new data, and write them."""
    from inference.next_candidates import fitted_patient, values
    from virtualbrain.surgery.settings import SurgerySettings

    surgery = settings_from(config["surgery"], SurgerySettings, "surgery")
    patient = fitted_patient(sample, surgery.suspicion, config["seed"])
    forbidden = _eloquent(layout, name)
    table = values(patient, _candidates(layout, patient, forbidden, config), config["seed"])
    _write(layout, name, table, forbidden, config)
    return table


def _eloquent(layout: PatientLayout, priors: str) -> list[str]:
    """Return the eloquent regions stated in the results of virtual surgery; none without them."""
    from virtualbrain.io.atomic import read_json
    from virtualbrain.io.tables import sidecar_of

    about = sidecar_of(layout.outcomes(priors))
    stated = read_json(about).get("Eloquent", []) if about.is_file() else []
    return [str(region) for region, _ in stated]


def _candidates(
    layout: PatientLayout, patient: "FittedPatient", forbidden: Sequence[str],
    config: Mapping[str, Any],
) -> "list[Candidate]":  # fmt: skip
    """Return feasible electrodes to the regions whose p_ez is least certain."""
    from inference.next_candidates import Candidate, uncertain_regions
    from virtualbrain.io.anatomy import read_anatomy
    from virtualbrain.io.seeg import read_contacts
    from virtualbrain.io.tables import read_table
    from virtualbrain.seeg.gain import make_sources, power_gain
    from virtualbrain.seeg.settings import SeegSettings
    from virtualbrain.seeg.trajectories import bipolar_weights, trajectories

    regions = read_table(layout.connectome_regions)
    anatomy = read_anatomy(layout) if layout.anatomy_quality.is_file() else None
    settings = settings_from(config["seeg"], SeegSettings, "seeg")
    sources = make_sources(
        regions,
        anatomy.labels if anatomy else None,
        anatomy.surfaces if anatomy else None,
        settings,
    )
    place = {str(region): row for row, region in enumerate(regions["name"])}
    order = [place[str(region)] for region in patient.sample.density.problem.regions]
    centres = regions[["x", "y", "z"]].to_numpy(float)
    contacts = read_contacts(layout.contacts)[["x", "y", "z"]].to_numpy(float)
    midline = float(np.nanmean(centres[:, 0]))
    contacts = contacts[np.isfinite(contacts).all(axis=1)]
    inside, eloquent = _brain(regions, anatomy), _within(regions, anatomy, forbidden)
    return [
        Candidate(
            target,
            one,
            power_gain(
                one.contacts, bipolar_weights(len(one.contacts)), sources, len(regions),
                settings.clamp_mm, combination=settings.gain_combination,
                dipole=settings.gain == "dipole",
            )[:, order],
        )
        for target in uncertain_regions(patient)
        if np.isfinite(centres[place[target]]).all()
        for one in trajectories(centres[place[target]], inside, eloquent, contacts, midline)
    ]  # fmt: skip


def _brain(regions: "pd.DataFrame", anatomy: "Anatomy | None") -> "Inside":
    """Return which points lie in the brain mask, or in the hull of the regions' balls."""
    from scipy.spatial import Delaunay

    from virtualbrain.seeg.contact_regions import in_brain
    from virtualbrain.seeg.gain import centre_sources

    if anatomy is not None:
        labels, mask = anatomy.labels, anatomy.brain_mask
        return lambda points: in_brain(points, labels, mask)
    balls = centre_sources(regions, np.ones(len(regions), dtype=bool))
    hull = Delaunay(balls.points)
    return lambda points: np.asarray(hull.find_simplex(points) >= 0)


def _within(
    regions: "pd.DataFrame", anatomy: "Anatomy | None", forbidden: Sequence[str]
) -> "Inside":
    """Return which points lie in forbidden regions."""
    from virtualbrain.seeg.contact_regions import region_radii_mm, sample_nearest

    rows = regions[regions["name"].isin(list(forbidden))]
    if rows.empty:
        return lambda points: np.zeros(len(points), dtype=bool)
    if anatomy is not None:
        indices, labels = rows["index"].to_numpy(), anatomy.labels
        return lambda points: np.isin(np.rint(sample_nearest(points, labels)), indices)
    centres = rows[["x", "y", "z"]].to_numpy(float)
    radii = region_radii_mm(regions)[regions["name"].isin(list(forbidden)).to_numpy()]

    def near(points: Any) -> Any:
        distance = np.linalg.norm(points[:, None] - centres[None], axis=-1)
        return (distance < radii).any(axis=1)

    return near


def _write(
    layout: PatientLayout, priors: str, table: "pd.DataFrame", forbidden: Sequence[str],
    config: Mapping[str, Any],
) -> None:  # fmt: skip
    from inference.full_sample import CHAINS, DRAWS, MOVES
    from virtualbrain.io.manifest import checksum
    from virtualbrain.io.provenance import sidecar
    from virtualbrain.io.tables import write_table
    from virtualbrain.seeg.trajectories import CLEAR_MM, REACH_MM, SPACING_MM

    sources = [layout.gain.name, layout.contacts.name, "posterior.nc"]
    about = sidecar(dict(config), ("inference", "seeg", "surgery", "seed"), sources)
    fit = {"Moves": MOVES, "Draws": DRAWS, "Chains": CHAINS}
    rules = {"SpacingMm": SPACING_MM, "ReachMm": REACH_MM, "ClearMm": CLEAR_MM,
             "AvoidedRegions": list(forbidden), "VesselsKnown": False}  # fmt: skip
    belongs = {"Posterior": checksum(layout.posterior(priors))}
    write_table(layout.next_data(priors), table, {**about, **fit, **rules, **belongs})


def summary(table: "pd.DataFrame") -> str:
    """Return what a seizure or an own connectome is worth, and where electrodes are, in words."""
    judged = table.set_index("datum")["judged"]
    count = int((table["datum"] == "electrode").sum())
    own = (
        f", the patient's own connectome by {judged['connectome']:.3f}"
        if "connectome" in judged
        else ""
    )
    return (
        "one more seizure is expected to change the probability of the right plan by "
        f"{judged['seizure']:.3f}{own}; values of {count} feasible "
        "electrodes are in the table (in 20 synthetic patients the first one beat a random choice)"
    )
