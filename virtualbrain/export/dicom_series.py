"""Build a DICOM series (MR Image Storage) from slices."""

from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from virtualbrain.export.choices import RESEARCH_USE
from virtualbrain.export.dicom_grid import SliceGrid

MANUFACTURER = "virtualbrain"
OUTLINE = 4095
"""Stored value of an outline: the largest of twelve bits, brighter than all tissue."""
_BRIGHT, _BRIGHTEST = 3000, 3600
_LONG_STRING = 64


@dataclass(frozen=True)
class Study:
    """What all DICOM files of an export have in common.

    Parameters
    ----------
    label : str
        The participant's label; the only name in the files.
    version : str
        Version of virtualbrain.
    study_uid, frame_uid : str
        Study and frame of reference: equal for one T1, so that later exports are aligned.
    content : str
        Text that identifies the content, from which the other identifiers are computed.
    """

    label: str
    version: str
    study_uid: str
    frame_uid: str
    content: str

    def uid(self, *parts: object) -> str:
        """Return the identifier of a part: equal content has equal identifiers."""
        return make_uid(self.content, *parts)


def make_uid(*parts: object) -> str:
    """Return a unique identifier of DICOM, computed from texts."""
    from pydicom.uid import generate_uid

    return str(generate_uid(entropy_srcs=[str(part) for part in parts]))


def line(text: str) -> str:
    """Return a text that fits an element of one line: 64 characters, no backslash."""
    plain = "".join(c if c.isprintable() and c != "\\" else "/" for c in text)
    return plain if len(plain) <= _LONG_STRING else plain[: _LONG_STRING - 1] + "…"


def stored_values(voxels: NDArray[np.float32]) -> NDArray[np.uint16]:
    """Return intensities in twelve bits; the value of outlines remains free.

    Intensities are scaled so that 99.9 % are at most 3000; brighter voxels end at 3600.
    """
    positive = np.maximum(np.nan_to_num(voxels), 0)
    top = float(np.quantile(positive, 0.999)) or float(positive.max()) or 1.0
    return np.asarray(np.rint(np.minimum(positive / top * _BRIGHT, _BRIGHTEST)), dtype=np.uint16)


def mr_series(
    grid: SliceGrid, stored: NDArray[np.uint16], study: Study, number: int, description: str
) -> list[Any]:
    """Return one DICOM dataset for every slice.

    Parameters
    ----------
    grid : SliceGrid
        Places of the slices.
    stored : numpy.ndarray of uint16, shape (slices, rows, columns)
        Values of twelve bits.
    study : Study
        The study.
    number : int
        Number of the series in the study.
    description : str
        Description of the series.

    Returns
    -------
    list of pydicom.Dataset
        In the order of the slices.
    """
    return list(_datasets(grid, stored, study, number, description))


def _datasets(
    grid: SliceGrid, stored: NDArray[np.uint16], study: Study, number: int, description: str
) -> Iterator[Any]:
    from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage
    from pydicom.valuerep import DSfloat

    def decimals(values: Sequence[float]) -> list[Any]:
        return [DSfloat(value, auto_format=True) for value in values]

    columns, rows, slices = grid.spacing
    common = Dataset()
    common.SpecificCharacterSet = "ISO_IR 192"
    common.SOPClassUID = MRImageStorage
    common.ImageType = ["DERIVED", "SECONDARY", "OTHER"]
    common.Modality = "MR"
    common.Manufacturer = common.ManufacturerModelName = MANUFACTURER
    common.SoftwareVersions = study.version
    common.DeviceSerialNumber = study.version
    common.PatientID = f"sub-{study.label}"
    common.PatientName = f"{common.PatientID}^"  # a single component
    for empty in (
        *("PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "AccessionNumber"),
        *("StudyID", "ReferringPhysicianName", "PositionReferenceIndicator", "ScanOptions"),
        *("RepetitionTime", "EchoTime", "EchoTrainLength", "AcquisitionNumber"),
    ):
        setattr(common, empty, None)
    common.PatientPosition = "HFS"
    common.StudyInstanceUID, common.FrameOfReferenceUID = study.study_uid, study.frame_uid
    common.SeriesInstanceUID = study.uid("series", number)
    common.SeriesNumber, common.SeriesDescription = number, line(description)
    common.DerivationDescription = common.ImageComments = RESEARCH_USE
    common.ScanningSequence, common.SequenceVariant = "RM", "NONE"  # RM: research mode
    common.MRAcquisitionType = "3D"
    common.BurnedInAnnotation, common.RecognizableVisualFeatures = "NO", "YES"
    common.SamplesPerPixel, common.PhotometricInterpretation = 1, "MONOCHROME2"
    common.Rows, common.Columns = stored.shape[1:]
    common.BitsAllocated, common.BitsStored, common.HighBit = 16, 12, 11
    common.PixelRepresentation = 0
    common.PixelSpacing = decimals((rows, columns))
    common.SliceThickness = common.SpacingBetweenSlices = decimals((slices,))[0]
    common.ImageOrientationPatient = decimals(grid.orientation)
    common.WindowCenter, common.WindowWidth = _BRIGHT // 2, _BRIGHT
    common.LossyImageCompression = "00"
    for index, pixels in enumerate(stored):
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID = MRImageStorage
        meta.MediaStorageSOPInstanceUID = study.uid("image", number, index)
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        one = FileDataset(None, deepcopy(common), file_meta=meta, preamble=b"\0" * 128)
        one.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
        one.InstanceNumber = index + 1
        one.ImagePositionPatient = decimals(grid.position(index))
        one.PixelData = pixels.astype("<u2").tobytes()
        yield one
