"""Build a DICOM SEG of the leading plans."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from virtualbrain.export.choices import RESEARCH_USE
from virtualbrain.export.dicom_series import MANUFACTURER, Study, line
from virtualbrain.export.plans import PlanExtent

_TEXT = 1024


def plan_segmentation(
    series: Sequence[Any],
    masks: Sequence[NDArray[np.bool_]],
    plans: Sequence[PlanExtent],
    study: Study,
    number: int,
) -> Any:
    """Return a binary DICOM SEG with one segment for every plan.

    Parameters
    ----------
    series : sequence of pydicom.Dataset
        Slices of the T1, whose geometry the SEG has.
    masks : sequence of numpy.ndarray of bool, shape (slices, rows, columns)
        Tissue of each plan; plans may overlap.
    plans : sequence of PlanExtent
        The plans, in the order of `masks`.
    study : Study
        The study.
    number : int
        Number of the series in the study.

    Returns
    -------
    highdicom.seg.Segmentation
        Slices without tissue of a plan have no frame.
    """
    from highdicom.seg import Segmentation, SegmentationTypeValues

    return Segmentation(
        source_images=list(series),
        pixel_array=np.stack(masks, axis=-1).astype(np.uint8),
        segmentation_type=SegmentationTypeValues.BINARY,
        segment_descriptions=[
            _description(i, plan, study) for i, plan in enumerate(plans, start=1)
        ],
        series_instance_uid=study.uid("series", number),
        series_number=number,
        sop_instance_uid=study.uid("segmentation"),
        instance_number=1,
        manufacturer=MANUFACTURER,
        manufacturer_model_name=MANUFACTURER,
        software_versions=study.version,
        device_serial_number=study.version,
        content_description="Research use only, not a medical device",
        content_label="RESEARCH_USE",
        series_description=line("RESEARCH USE ONLY virtualbrain: plans"),
        omit_empty_frames=True,
    )


def _description(number: int, plan: PlanExtent, study: Study) -> Any:
    """Return the description of one plan."""
    from highdicom import AlgorithmIdentificationSequence
    from highdicom.seg import SegmentAlgorithmTypeValues, SegmentDescription
    from pydicom.sr.codedict import codes

    algorithm = AlgorithmIdentificationSequence(
        name=MANUFACTURER, version=study.version, family=codes.DCM.ArtificialIntelligence
    )
    described = SegmentDescription(
        segment_number=number,
        segment_label=line(f"Research, plan {plan.number}: {plan.name}"),
        segmented_property_category=codes.SCT.AnatomicalStructure,
        segmented_property_type=codes.SCT.Brain,
        algorithm_type=SegmentAlgorithmTypeValues.AUTOMATIC,
        algorithm_identification=algorithm,
    )
    text = f"{RESEARCH_USE} Simulated {plan.kind} of {', '.join(plan.regions)}."
    described.SegmentDescription = text[:_TEXT].replace("\\", "/")
    return described
