"""Contacts of a patient without MRI, placed in the template MNI152."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from virtualbrain.errors import InputError
from virtualbrain.io.bids import PatientFiles
from virtualbrain.seeg.contact_regions import in_brain
from virtualbrain.seeg.settings import SeegSettings

SPREAD_MM = 5.0
"""Distance between a place in MNI152 and the same place of another brain, after registration."""


def in_the_template(settings: SeegSettings) -> SeegSettings:
    """Return the settings with the uncertainty of places in the template.

    The radius of the ball around a contact and the smallest distance between contact and source
    grow by `SPREAD_MM`, in squares: neighbouring regions get more of the probability and the gain.
    """
    return replace(
        settings,
        ball_radius_mm=math.hypot(settings.ball_radius_mm, SPREAD_MM),
        clamp_mm=math.hypot(settings.clamp_mm, SPREAD_MM),
    )


def template_problems(
    files: PatientFiles, points: NDArray[np.float64], brain: Any, settings: SeegSettings
) -> list[InputError]:
    """Return the error if too few contacts are inside the template's brain.

    Parameters
    ----------
    files : PatientFiles
        The patient's files, for the message.
    points : numpy.ndarray, shape (n_contacts, 3)
        Contacts in MNI152, mm; NaN where unknown.
    brain : nibabel image
        Brain mask of the template.
    settings : SeegSettings
        `brain_share_min`.
    """
    known = points[np.isfinite(points).all(axis=1)]
    share = float(in_brain(known, None, brain).mean()) if len(known) else 0.0
    if not len(known) or share >= settings.brain_share_min:
        return []
    readings = {
        "LPS": np.array([-1.0, -1.0, 1.0]),
        "LAS": np.array([-1.0, 1.0, 1.0]),
        "metres": np.full(3, 1000.0),
        "centimetres": np.full(3, 10.0),
    }
    better = [
        f"read as {name}, {part:.0%} would be"
        for name, factors in readings.items()
        if (part := float(in_brain(known * factors, None, brain).mean()))
        > max(share, settings.brain_share_min)
    ]
    return [
        InputError(
            f"only {share:.0%} of the contacts are inside the brain of the template",
            where=files.electrodes.name if files.electrodes is not None else "",
            expected=f"at least {settings.brain_share_min:.0%}, in MNI152, RAS, in mm",
            hint="; ".join(better) or "check coordinate frame and unit in coordsystem.json",
        )
    ]
