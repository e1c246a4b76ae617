"""Name the formats of an export, and hold the user's choices."""

from dataclasses import dataclass

FORMATS = ("nifti", "mni", "stl", "gifti", "dicom", "csv", "pdf", "tvb")
"""Values of --format."""

RESEARCH_USE = "Research use only. Not a medical device; not for clinical decisions."
"""Statement in every sidecar and every DICOM description."""


@dataclass(frozen=True)
class ExportChoices:
    """What the user chose besides the patient and the format.

    Parameters
    ----------
    overwrite : bool
        Replace an earlier export.
    confirm_research_use : bool
        The user confirmed that the DICOM files are for research; without it none is written.
    burn_in : int
        Number of the leading plan that is drawn into a second DICOM series; 0: no such series.
    """

    overwrite: bool = False
    confirm_research_use: bool = False
    burn_in: int = 0
