"""Load a fitted patient for an export, and refuse what its results cannot provide."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd

from virtualbrain.errors import InputError
from virtualbrain.export.choices import RESEARCH_USE
from virtualbrain.export.plans import PlanExtent, extents_of
from virtualbrain.io.anatomy import Surface
from virtualbrain.io.images import make_image, read_image
from virtualbrain.io.layout import PatientLayout
from virtualbrain.io.results import PatientResults, load_results
from virtualbrain.io.seeg import read_contacts
from virtualbrain.io.versions import versions
from virtualbrain.report.findings import leading_plans, plans_of, verdict_of

SCANNER_RAS = "scanner RAS of the T1w image (x to the right, y to the front, z upward)"


@dataclass(frozen=True)
class Images:
    """T1, label image and region table on one voxel grid.

    Parameters
    ----------
    t1 : nibabel.Nifti1Image
        Bias-corrected T1.
    labels : nibabel.Nifti1Image
        Region index of every voxel; 0 outside all regions.
    regions : pandas.DataFrame
        Region table.
    surfaces : mapping of str to Surface
        Pial surfaces by hemisphere.
    """

    t1: nib.Nifti1Image
    labels: nib.Nifti1Image
    regions: pd.DataFrame
    surfaces: Mapping[str, Surface]

    @property
    def index_of(self) -> dict[str, int]:
        """Value in the label image by the name of the region."""
        table = self.regions
        return {str(n): int(i) for n, i in zip(table["name"], table["index"], strict=True)}


@dataclass(frozen=True)
class ExportPatient:
    """A fitted patient.

    Parameters
    ----------
    layout : PatientLayout
        File names of the patient's results.
    priors : str
        The prior set.
    verdict : str
        Verdict on the fit.
    usable : bool
        Whether the verdict permits findings: p_ez and plans are exported only then.
    results : PatientResults
        The results.
    plans : tuple of PlanExtent
        Leading plans whose tissue is known; empty without a usable fit.
    notes : tuple of str
        Why leading plans or findings are left out.
    """

    layout: PatientLayout
    priors: str
    verdict: str
    usable: bool
    results: PatientResults
    plans: tuple[PlanExtent, ...]
    notes: tuple[str, ...]

    @property
    def label(self) -> str:
        """The participant's label."""
        return self.layout.label

    def name(self, rest: str) -> str:
        """Return a file name that begins with the participant's label."""
        return f"sub-{self.label}_{rest}"

    def zones(self) -> pd.DataFrame:
        """Return zones.tsv.

        Raises
        ------
        InputError
            The fit has no result.
        """
        found = self.results.main.zones
        if found is None:
            raise missing_result(self, self.results.main.missing.get("zones", ""))
        return found.table.frame

    def contacts(self) -> pd.DataFrame:
        """Return the contacts.

        Raises
        ------
        InputError
            There is no table of contacts.
        """
        return read_contacts(self.layout.contacts)

    def images(self, purpose: str) -> Images:
        """Return the images of the patient.

        Parameters
        ----------
        purpose : str
            The format, for the message.

        Raises
        ------
        InputError
            The patient has a ready connectome and therefore no image, or a file is missing.
        """
        if not self.layout.t1.is_file() or not self.layout.labels.is_file():
            raise InputError(
                "the results hold no T1w image",
                where=f"sub-{self.label}, --format {purpose}",
                expected="results with an anatomy",
                hint="run the pipeline without the ready connectome; --format csv needs no image",
            )
        if self.results.regions is None:
            raise missing_result(self, self.results.missing.get("regions", ""))
        t1 = read_image(self.layout.t1)
        labels = read_image(self.layout.labels)
        return Images(
            t1=t1,
            labels=make_image(np.asarray(labels.dataobj, dtype=np.int32), labels.affine),
            regions=self.results.regions.frame,
            surfaces=self.results.surfaces,
        )

    def about(self, **more: Any) -> dict[str, Any]:
        """Return the entries of every sidecar, and further ones."""
        software = versions()
        return {
            "Use": RESEARCH_USE,
            "Priors": self.priors,
            "Verdict": self.verdict,
            "GeneratedBy": [{"Name": "virtualbrain", "Version": software["virtualbrain"]}],
            **more,
        }


def missing_result(patient: ExportPatient, reason: str) -> InputError:
    """Return the error for a result that is missing."""
    return InputError(
        reason or "a result is missing",
        where=f"sub-{patient.label}",
        expected="a finished run with this prior set",
        hint="run the pipeline first, or choose the prior set with --priors",
    )


def load_patient(out: Path | str, label: str, priors: str) -> ExportPatient:
    """Load the results of one patient under one prior set.

    Parameters
    ----------
    out : Path or str
        The output folder of a run.
    label : str
        The participant, without ``sub-``.
    priors : str
        Name of the prior set.

    Raises
    ------
    InputError
        The patient has no results of a fit.
    """
    layout = PatientLayout.of_results(out, label)
    results = load_results(out, label, [priors])
    verdict = verdict_of(results.main)
    names = tuple(results.regions.frame["name"]) if results.regions is not None else ()
    plans: tuple[PlanExtent, ...] = ()
    notes: tuple[str, ...] = ()
    if not verdict.usable:
        notes = ("p_ez and plans are left out: the verdict of the fit does not permit findings",)
    elif results.regions is not None:
        leading = leading_plans(plans_of(results.main, names))
        plans, notes = extents_of(leading, results.regions.frame)
    patient = ExportPatient(layout, priors, verdict.key, verdict.usable, results, plans, notes)
    patient.zones()
    return patient
