"""Value of new data of a fitted patient, for the command `degeneracy`."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
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

# From vessels, if not stated otherwise.
VESSEL_MM = 3.0


@dataclass(frozen=True)
class Avoid:
    """What a new electrode must keep clear of.

    Parameters
    ----------
    regions : tuple of str
        Regions, beside the eloquent ones of the last results of virtual surgery.
    vessels : nibabel image, optional
        Mask of vessels in the patient's frame.
    vessels_file : str
        Name of its file.
    distance_mm : float
        From vessels.
    """

    regions: tuple[str, ...] = ()
    vessels: Any = None
    vessels_file: str = ""
    distance_mm: float = VESSEL_MM


def avoided(options: argparse.Namespace) -> Avoid:
    """Return what the options of the command say.

    Raises
    ------
    InputError
        The mask is unreadable or no mask of vessels, or there is a distance but no mask.
    """
    from virtualbrain.errors import InputError
    from virtualbrain.io.images import read_image
    from virtualbrain.seeg.vessels import near_vessels

    names = tuple(name.strip() for name in (options.avoid or "").split(",") if name.strip())
    distance = VESSEL_MM if options.vessel_distance is None else options.vessel_distance
    if options.vessels is None:
        if options.vessel_distance is not None:
            raise InputError("a distance to vessels, but no vessels", where="--vessel-distance",
                             expected="a mask with --vessels")  # fmt: skip
        return Avoid(names)
    file = Path(options.vessels).name
    mask = read_image(options.vessels)
    near_vessels(mask, distance, file)  # raises an error before a long fit
    return Avoid(names, mask, file, distance)


def check_avoided(layout: PatientLayout, avoid: Avoid) -> None:
    """Raise an error if a region is unknown, or the mask is not in the patient's frame."""
    from virtualbrain.io.tables import read_table
    from virtualbrain.seeg.vessels import require_in_frame
    from virtualbrain.surgery.clinical_plans import require_regions

    require_regions(avoid.regions, read_table(layout.connectome_regions), "--avoid")
    if avoid.vessels is not None:
        require_in_frame(avoid.vessels, _contacts(layout), avoid.vessels_file)


def next_data(
    layout: PatientLayout, name: str, sample: "OnsetSample", config: dict[str, Any],
    avoid: Avoid | None = None,
) -> "pd.DataFrame":  # fmt: skip
    """Return the value of feasible electrodes and of other new data, and write them."""
    from inference.next_candidates import fitted_patient, values
    from virtualbrain.surgery.settings import SurgerySettings

    surgery = settings_from(config["surgery"], SurgerySettings, "surgery")
    patient = fitted_patient(sample, surgery.suspicion, config["seed"])
    kept_clear = avoid or Avoid()
    stated = dict.fromkeys([*_eloquent(layout, name), *kept_clear.regions])
    clear_of = replace(kept_clear, regions=tuple(stated))
    table = values(patient, _candidates(layout, patient, clear_of, config), config["seed"])
    _write(layout, name, table, clear_of, config)
    return table


def _contacts(layout: PatientLayout) -> Any:
    """Return the places of the contacts that are known, mm."""
    from virtualbrain.io.seeg import read_contacts

    places = read_contacts(layout.contacts)[["x", "y", "z"]].to_numpy(float)
    return places[np.isfinite(places).all(axis=1)]


def _eloquent(layout: PatientLayout, priors: str) -> list[str]:
    """Return the eloquent regions stated in the results of virtual surgery; none without them."""
    from virtualbrain.io.atomic import read_json
    from virtualbrain.io.tables import sidecar_of

    about = sidecar_of(layout.outcomes(priors))
    stated = read_json(about).get("Eloquent", []) if about.is_file() else []
    return [str(region) for region, _ in stated]


def _candidates(
    layout: PatientLayout, patient: "FittedPatient", avoid: Avoid, config: Mapping[str, Any],
) -> "list[Candidate]":  # fmt: skip
    """Return feasible electrodes to the regions whose p_ez is least certain."""
    from inference.next_candidates import Candidate, uncertain_regions
    from virtualbrain.io.anatomy import read_anatomy
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
    midline, contacts = float(np.nanmean(centres[:, 0])), _contacts(layout)
    inside, forbidden = _brain(regions, anatomy), _forbidden(regions, anatomy, avoid)
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
        for one in trajectories(centres[place[target]], inside, forbidden, contacts, midline)
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


def _forbidden(regions: "pd.DataFrame", anatomy: "Anatomy | None", avoid: Avoid) -> "Inside":
    """Return which points lie in regions to avoid, or near vessels."""
    from virtualbrain.seeg.vessels import near_vessels

    within = _within(regions, anatomy, avoid.regions)
    if avoid.vessels is None:
        return within
    near = near_vessels(avoid.vessels, avoid.distance_mm, avoid.vessels_file)
    return lambda points: within(points) | near(points)


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
    layout: PatientLayout, priors: str, table: "pd.DataFrame", avoid: Avoid,
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
             "AvoidedRegions": list(avoid.regions),
             "VesselsKnown": avoid.vessels is not None}  # fmt: skip
    if avoid.vessels is not None:
        rules |= {"Vessels": avoid.vessels_file, "VesselMm": avoid.distance_mm}
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
