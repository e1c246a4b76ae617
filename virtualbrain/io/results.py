"""Everything that a run left for one patient, and why each missing part is missing."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import nibabel as nib
import numpy as np
import pandas as pd
import xarray as xr
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import SpatialImage
from numpy.typing import NDArray

from virtualbrain.errors import VirtualBrainError
from virtualbrain.io.bids import PatientFiles
from virtualbrain.io.layout import PatientLayout
from virtualbrain.io.tables import read_matrix, read_table, sidecar_of

Part = TypeVar("Part")
PREDICTIVE_DRAWS = 160
_UNREADABLE = (VirtualBrainError, ImageFileError, OSError, ValueError, KeyError, IndexError)


@dataclass(frozen=True)
class Table:
    """A table with the very text of its file, so that a copy equals it to the last digit."""

    file: str
    frame: pd.DataFrame
    text: str
    sidecar: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Surface:
    """A hemisphere's pial surface: vertices in mm (scanner RAS), triangles, region per vertex."""

    vertices: NDArray[np.float64]
    triangles: NDArray[np.int64]
    regions: NDArray[np.int64]


@dataclass(frozen=True)
class Seizure:
    """One seizure: the envelope that was fitted and the signal to look at."""

    number: int
    envelope: Table | None
    signal: xr.DataArray | None
    missing: Mapping[str, str]


@dataclass(frozen=True)
class Posterior:
    """The groups of a posterior that a reader of results needs, predictive draws thinned."""

    attributes: Mapping[str, Any]
    parameters: xr.Dataset
    constants: xr.Dataset
    sample_stats: xr.Dataset
    predictive: xr.DataArray | None


@dataclass(frozen=True)
class PriorResults:
    """What one set of priors led to."""

    name: str
    diagnostics: Mapping[str, Any] | None
    zones: Table | None
    posterior: Posterior | None
    outcomes: Table | None
    recruitment: Table | None
    missing: Mapping[str, str]
    stimulation: Table | None = None
    next_regions: Table | None = None
    predicted: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class PatientResults:
    """All results of one patient; a part that is None has its reason in `missing`.

    `quality` and `benchmarks` hold what was found, by stage. The first of `priors` is the
    main one.
    """

    label: str
    atlas: str
    t1: SpatialImage | None
    labels: SpatialImage | None
    regions: Table | None
    surfaces: Mapping[str, Surface]
    weights: Table | None
    lengths: Table | None
    alignment: bytes | None
    contacts: Table | None
    channels: Table | None
    gain: Table | None
    seizures: tuple[Seizure, ...]
    hypothesis: pd.DataFrame | None
    eloquent: pd.DataFrame | None
    priors: tuple[PriorResults, ...]
    quality: Mapping[str, Mapping[str, Any]]
    inputs: Mapping[str, Any] | None
    provenance: Mapping[str, Any] | None
    benchmarks: Mapping[str, Mapping[str, Any]]
    missing: Mapping[str, str]

    @property
    def main(self) -> PriorResults:
        """The results of the first set of priors."""
        return self.priors[0]


@dataclass
class _Reader:
    """Reads parts and keeps the reason for each that is not to be had."""

    out: Path
    missing: dict[str, str] = field(default_factory=dict)

    def part(self, name: str, path: Path, read: Callable[[Path], Part], stage: str) -> Part | None:
        """Read a file, or note why it cannot be read."""
        if not path.is_file():
            self.missing[name] = f"{self._short(path)} was not written: {stage} did not run or end"
            return None
        try:
            return read(path)
        except _UNREADABLE as error:
            detail = str(error).replace(str(path), path.name).replace(str(self.out), "OUT")
            self.missing[name] = f"{self._short(path)} cannot be read ({detail})"
            return None

    def _short(self, path: Path) -> str:
        return path.relative_to(self.out).as_posix()


def load_results(
    out: Path | str,
    label: str,
    priors: Sequence[str],
    patient: PatientFiles | None = None,
) -> PatientResults:
    """Load whatever results of one patient exist under `out`.

    Parameters
    ----------
    out : Path or str
        The output folder of a run.
    label : str
        The participant, without ``sub-``.
    priors : sequence of str
        Names of the sets of priors; the first is the main one.
    patient : PatientFiles, optional
        The patient's inputs: the clinical hypothesis and eloquent regions are read from it, and
        it tells an input that was never there from a stage that failed.

    Returns
    -------
    PatientResults
        Missing and unreadable parts are None, with a reason that names no path outside `out`.

    Raises
    ------
    ValueError
        `priors` is empty.
    """
    if not priors:
        raise ValueError("name at least one set of priors")
    root = Path(out)
    reader = _Reader(root)
    layout = PatientLayout.of_results(root, label)
    results = PatientResults(
        label=label,
        atlas=layout.atlas,
        t1=reader.part("t1", layout.t1, _image, "anatomy"),
        labels=reader.part("labels", layout.labels, _image, "anatomy"),
        regions=_regions(reader, layout),
        surfaces=_surfaces(reader, layout),
        weights=reader.part("weights", layout.relmat("streamlines"), _matrix, "connectome"),
        lengths=reader.part("lengths", layout.relmat("length"), _matrix, "connectome"),
        alignment=reader.part("alignment", layout.alignment_picture, Path.read_bytes, "dwi_fod"),
        contacts=reader.part("contacts", layout.contacts, _table, "seeg"),
        channels=reader.part("channels", layout.channels, _table, "seeg"),
        gain=reader.part("gain", layout.gain, _matrix, "seeg"),
        seizures=_seizures(root, layout),
        hypothesis=_clinical(reader, "hypothesis", patient.hypothesis if patient else None),
        eloquent=_clinical(reader, "eloquent", patient.eloquent if patient else None),
        priors=tuple(_prior_results(root, layout, name) for name in priors),
        quality=_quality(reader, layout),
        inputs=reader.part("inputs", layout.inputs, _json, "check"),
        provenance=reader.part("provenance", layout.provenance, _json, "provenance"),
        benchmarks=_benchmarks(layout),
        missing=reader.missing,
    )
    if patient is not None and patient.t1 is None:
        _blame_input(reader.missing, ("t1", "labels", "pial-L", "pial-R", "anatomy"), "T1")
    if patient is not None and not patient.dwi:
        _blame_input(reader.missing, ("dwi", "alignment"), "diffusion series")
    return results


def _blame_input(missing: dict[str, str], names: Sequence[str], what: str) -> None:
    for name in names:
        if name in missing:
            missing[name] = f"the dataset holds no {what} of this patient"


def _regions(reader: _Reader, layout: PatientLayout) -> Table | None:
    """Read the region table, the connectome's own where anatomy left none."""
    found = reader.part("regions", layout.regions, _table, "anatomy")
    if found is None and layout.connectome_regions.is_file():
        found = reader.part("regions", layout.connectome_regions, _table, "connectome")
        if found is not None:
            del reader.missing["regions"]
    return found


def _surfaces(reader: _Reader, layout: PatientLayout) -> dict[str, Surface]:
    found: dict[str, Surface] = {}
    for hemisphere in ("L", "R"):
        labels = layout.pial_labels(hemisphere)

        def read(path: Path, labels: Path = labels) -> Surface:
            return _surface(path, labels)

        surface = reader.part(f"pial-{hemisphere}", layout.pial(hemisphere), read, "anatomy")
        if surface is not None:
            found[hemisphere] = surface
    return found


def _surface(path: Path, labels_path: Path) -> Surface:
    vertices, triangles = (
        np.asarray(array.data)
        for array in nib.gifti.GiftiImage.from_filename(str(path)).darrays[:2]
    )
    regions = np.zeros(len(vertices), dtype=np.int64)
    if labels_path.is_file():
        labels = nib.gifti.GiftiImage.from_filename(str(labels_path)).darrays[0].data
        if len(labels) != len(vertices):
            raise ValueError(f"{labels_path.name} holds {len(labels)} labels, not one per vertex")
        regions = np.asarray(labels).astype(np.int64)
    return Surface(vertices.astype(np.float64), triangles.astype(np.int64), regions)


def _seizures(out: Path, layout: PatientLayout) -> tuple[Seizure, ...]:
    found = []
    for number in range(1, 100):
        if not (layout.envelope(number).is_file() or layout.seizure_signal(number).is_file()):
            break
        reader = _Reader(out)
        envelope = reader.part("envelope", layout.envelope(number), _table, "seeg")
        signal = reader.part("signal", layout.seizure_signal(number), _signal, "seeg")
        found.append(Seizure(number, envelope, signal, reader.missing))
    return tuple(found)


def _prior_results(out: Path, layout: PatientLayout, name: str) -> PriorResults:
    reader = _Reader(out)
    return PriorResults(
        name=name,
        diagnostics=reader.part("diagnostics", layout.diagnostics(name), _json, "inference"),
        zones=reader.part("zones", layout.zones(name), _table, "inference"),
        posterior=reader.part("posterior", layout.posterior(name), _posterior, "inference"),
        outcomes=reader.part("outcomes", layout.outcomes(name), _table, "surgery"),
        recruitment=reader.part("recruitment", layout.recruitment(name), _table, "surgery"),
        stimulation=reader.part("stimulation", layout.stimulation(name), _table, "surgery"),
        next_regions=reader.part("next", layout.next_regions(name), _table, "surgery"),
        predicted=reader.part("predicted", layout.predicted(name), _json, "surgery"),
        missing=reader.missing,
    )


def _posterior(path: Path) -> Posterior:
    with xr.open_dataset(path) as root:
        attributes = dict(root.attrs)
    return Posterior(
        attributes=attributes,
        parameters=_group(path, "posterior"),
        constants=_group(path, "constant_data", optional=True),
        sample_stats=_group(path, "sample_stats", optional=True),
        predictive=_predictive(path),
    )


def _group(path: Path, group: str, optional: bool = False) -> xr.Dataset:
    try:
        with xr.open_dataset(path, group=group) as dataset:
            return dataset.load()
    except OSError:
        if optional:
            return xr.Dataset()
        raise


def _predictive(path: Path) -> xr.DataArray | None:
    """Return predicted envelopes, thinned while still on disk: all draws may not fit memory."""
    try:
        with xr.open_dataset(path, group="posterior_predictive") as dataset:
            if "envelope" not in dataset:
                return None
            envelope = dataset["envelope"]
            n_draws = envelope.sizes.get("chain", 1) * envelope.sizes.get("draw", 1)
            if "draw" in envelope.dims:
                step = max(1, -(-n_draws // PREDICTIVE_DRAWS))
                envelope = envelope.isel(draw=slice(None, None, step))
            return envelope.astype(np.float32).load()
    except OSError:
        return None


def _quality(reader: _Reader, layout: PatientLayout) -> dict[str, Mapping[str, Any]]:
    files = {
        "anatomy": layout.anatomy_quality,
        "dwi": layout.dwi_quality,
        "connectome": layout.connectome_quality,
        "seeg": layout.seeg_quality,
    }
    found = {name: reader.part(name, path, _json, name) for name, path in files.items()}
    return {name: content for name, content in found.items() if content is not None}


def _benchmarks(layout: PatientLayout) -> dict[str, Mapping[str, Any]]:
    """Read time and memory of every stage that left a benchmark (tables of Snakemake's)."""
    folder = layout.benchmark("any").parent
    found: dict[str, Mapping[str, Any]] = {}
    for path in sorted(folder.rglob("*.tsv")) if folder.is_dir() else []:
        try:
            rows = pd.read_csv(path, sep="\t", na_values=["-", "n/a"])
        except (ValueError, OSError):
            continue
        if len(rows):
            stage = path.relative_to(folder).with_suffix("").as_posix()
            found[stage] = {str(key): value for key, value in rows.iloc[-1].items()}
    return found


def _clinical(reader: _Reader, name: str, path: Path | None) -> pd.DataFrame | None:
    """Read a clinical table, which lies outside the results."""
    if path is None:
        reader.missing[name] = "none was given with this patient"
        return None
    try:
        return read_table(path)
    except VirtualBrainError as error:
        reader.missing[name] = f"{path.name} cannot be read ({error.what})"
        return None


def _table(path: Path) -> Table:
    return Table(path.name, read_table(path), path.read_text(encoding="utf-8"), _sidecar(path))


def _matrix(path: Path) -> Table:
    return Table(path.name, read_matrix(path), path.read_text(encoding="utf-8"), _sidecar(path))


def _sidecar(path: Path) -> Mapping[str, Any]:
    sidecar = sidecar_of(path)
    return _json(sidecar) if sidecar.is_file() else {}


def _json(path: Path) -> Mapping[str, Any]:
    content = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise ValueError("not a JSON object")
    return content


def _image(path: Path) -> SpatialImage:
    image: SpatialImage = nib.load(path)
    return image


def _signal(path: Path) -> xr.DataArray:
    """Return the signal of the montage, dims (time, channel)."""
    with xr.open_dataset(path) as dataset:
        array: xr.DataArray = next(
            variable
            for variable in dataset.data_vars.values()
            if {"time", "channel"} <= set(variable.dims)
        )
        return array.transpose("time", "channel").load()
