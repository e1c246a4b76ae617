"""Prepare the data quality of every stage for the report: figures, notes, corrections."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from virtualbrain.io.quality_results import Correction, Quality
from virtualbrain.report.numbers import show
from virtualbrain.report.privacy import scrub, scrub_text

_STAGES = (
    ("anatomy", "MRI"),
    ("dwi", "Diffusion MRI"),
    ("connectome", "Connectome"),
    ("seeg", "SEEG"),
)
_MOST_VALUES = 8
# Names of the figures for readers; a figure without one keeps its key.
_LABELS = {
    "route": "method",
    "GroupConnectome": "connectome of a group, not of this patient",
    "Anatomy": "anatomy",
    "atlas_source": "atlas",
    "dropped": "atlas regions not used",
    "template_overlap": "overlap of template and brain mask",
    "csf_ml": "cerebrospinal fluid (ml)",
    "grey_ml": "grey matter (ml)",
    "white_ml": "white matter (ml)",
    "brain_ml": "brain (ml)",
    "grey_white_contrast": "contrast of grey and white matter",
    "n_regions": "regions",
    "lost_regions": "regions without voxels",
    "left_right_volume_ratio": "region volume, left to right",
    "n_vertices": "surface vertices",
    "surface_labelled_share": "share of the surface with a region",
    "n_series": "series",
    "n_directions": "diffusion directions",
    "n_volumes": "volumes",
    "shells": "volumes by b-value (s/mm²)",
    "voxel_size_mm": "voxel size (mm)",
    "max_motion_mm": "largest head motion (mm)",
    "mean_motion_mm": "mean head motion (mm)",
    "orientation_margin": "fibre continuity over the best other gradient table",
    "orientation_best": "gradient table with the best fibre continuity",
    "noise_sd": "noise (standard deviation)",
    "snr_b0": "signal-to-noise ratio (b = 0)",
    "t1_overlap": "overlap of T1 and diffusion MRI",
    "tissues": "tissues in the fibre orientations",
    "n_shells": "diffusion shells",
    "white_matter_likeness": "correlation of white matter, T1 and diffusion MRI",
    "streamlines": "streamlines",
    "split_half_agreement": "rank correlation with new streamlines",
    "tissue_constraint": "anatomically constrained",
    "seeding": "seeding option",
    "sift2_mu": "SIFT2 µ",
    "n_edges": "connections",
    "edge_share": "share of possible connections",
    "isolated_regions": "regions without connections",
    "left_right_correlation": "correlation of left and right weights",
    "length_mm_quantiles": "quantiles of tract length (mm)",
    "streamlines_between_regions": "streamlines between regions",
    "assigned_share": "share of streamlines with a region at both ends",
    "median_reliability": "median reliability of connections",
    "share_reliable": "share of reliable connections",
    "reference_spearman": "rank correlation with the reference connectome",
    "reference_n_regions": "regions in common with the reference connectome",
    "regions_without_voxels": "regions without voxels",
    "poorly_covered_regions": "regions partly outside the diffusion image",
    "n_contacts": "contacts",
    "n_contacts_good": "good contacts",
    "n_channels": "channels",
    "n_channels_good": "good channels",
    "n_channels_seizing": "channels with an onset",
    "share_in_brain": "share of contacts in the brain",
    "tissue": "contacts by tissue",
    "coordinate_frame": "stated coordinate system",
    "coordinate_frame_used": "coordinate system used",
    "mm_per_unit": "mm per unit of the coordinates",
    "bad_channels": "bad channels",
    "gain_sources": "sources of the gain",
    "onset_s": "onset in the recording (s)",
    "duration_s": "duration (s)",
    "rate_hz": "sampling rate (Hz)",
    "line_frequency_hz": "mains frequency (Hz)",
    "line_frequency_from": "mains frequency taken from",
    "marked_bad": "marked bad",
    "proposed_bad": "proposed as bad",
}


@dataclass(frozen=True)
class StageQuality:
    """The data quality of one stage as the report shows it.

    Parameters
    ----------
    stage, title : str
        Key and heading of the stage.
    present : bool
        True where the stage wrote a quality file.
    notes : tuple of str
        Sentences on figures outside their quality limits.
    corrections : tuple of Correction
        Corrections of the diffusion series.
    rows : tuple of (str, str)
        Figures: name and value.
    """

    stage: str
    title: str
    present: bool
    notes: tuple[str, ...] = ()
    corrections: tuple[Correction, ...] = ()
    rows: tuple[tuple[str, str], ...] = ()


def quality_of(quality: Mapping[str, Quality]) -> tuple[StageQuality, ...]:
    """Return the data quality of every stage, in the order of the pipeline."""
    return tuple(_of_stage(stage, title, quality.get(stage)) for stage, title in _STAGES)


def _of_stage(stage: str, title: str, quality: Quality | None) -> StageQuality:
    if quality is None:
        return StageQuality(stage, title, present=False)
    return StageQuality(
        stage=stage,
        title=title,
        present=True,
        notes=tuple(scrub_text(note) for note in quality.notes),
        corrections=tuple(
            Correction(one.name, one.done, scrub_text(one.how)) for one in quality.corrections
        ),
        rows=tuple(
            (_LABELS.get(key, key), words)
            for key, value in scrub(quality.figures).items()
            if (words := _in_words(value))
        ),
    )


def _in_words(value: Any) -> str:
    """Return a figure as text; an empty text where it is too long for a cell."""
    if isinstance(value, Mapping):
        parts = [f"{_LABELS.get(key, key)}: {_in_words(one)}" for key, one in value.items()]
    elif isinstance(value, (list, tuple)):
        parts = [_in_words(one) for one in value]
    else:
        return show(value)
    return ", ".join(parts) if 0 < len(parts) <= _MOST_VALUES else ""
