"""Measure anatomy and diffusion on real data, for docs/validation.md.

    python tests/benchmarks/measure_structure.py labels SUBJECT
    python tests/benchmarks/measure_structure.py built-in SUBJECT OUT
    python tests/benchmarks/measure_structure.py tilts OUT STRAIGHT.nii.gz TILTED.nii.gz ...
    python tests/benchmarks/measure_structure.py directions BIDS LABEL OUT [--run RUN]
    python tests/benchmarks/measure_structure.py flipped OUT SERIES.nii.gz ...
    python tests/benchmarks/measure_structure.py memory RUN LABEL OUT

SUBJECT is a FreeSurfer subject. A series has its bval and bvec files in the same folder. `tilts`
has no T1w image: the MNI152 template is registered to the first series, and the other series are
registered to it. Results of an earlier call in OUT are reused. RUN is the output folder of a
finished run; its tractography is repeated with `--streamlines N`. `--copies K` generates N / K
streamlines and repeats them K times, so that SIFT2 and the connectome process N streamlines in
less time. `directions` with `--run` uses the anatomy and the corrected series of that run.
"""

import argparse
import json
import resource
import shutil
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
from nibabel.affines import apply_affine
from scipy import ndimage

from virtualbrain.anatomy.atlases import desikan_killiany
from virtualbrain.anatomy.region_names import canonical, is_dropped
from virtualbrain.anatomy.regions import region_table
from virtualbrain.anatomy.run import run_anatomy
from virtualbrain.anatomy.settings import AnatomySettings
from virtualbrain.anatomy.template import BRAINSTEM, load_template
from virtualbrain.anatomy.template_registration import Pair, register_affine, register_deformable
from virtualbrain.anatomy.tissues import Tissues, five_tissues
from virtualbrain.anatomy.voxel_grids import isotropic, voxel_volume
from virtualbrain.connectome import Connectome
from virtualbrain.diffusion import mrtrix
from virtualbrain.diffusion.alignment import AlignmentFiles, align_t1
from virtualbrain.diffusion.check import check_dwi
from virtualbrain.diffusion.connectome import ConnectomeFiles, build_connectome
from virtualbrain.diffusion.fod import estimate_fod
from virtualbrain.diffusion.head_mask import head_mask
from virtualbrain.diffusion.preprocess import preprocess_dwi
from virtualbrain.diffusion.quality import compare_connectomes
from virtualbrain.diffusion.region_ends import Edges
from virtualbrain.diffusion.series import load_series
from virtualbrain.diffusion.settings import DiffusionSettings
from virtualbrain.diffusion.tracks import (
    TrackFiles,
    count_tracks,
    generate_tracks,
    weight_tracks,
)
from virtualbrain.io.bids import DwiSeries
from virtualbrain.io.freesurfer import freesurfer_names, open_subject, read_surface
from virtualbrain.io.images import make_image, read_image
from virtualbrain.io.layout import PatientLayout
from virtualbrain.io.patient_search import find_patient
from virtualbrain.io.tables import read_table
from virtualbrain.synthetic.scores import dice_by_region


@dataclass(frozen=True)
class Structure:
    """Files of an anatomy that tractography needs, and its region table."""

    t1: Path
    mask: Path
    tissues: Path
    labels: Path
    regions: pd.DataFrame


# ---- anatomy --------------------------------------------------------------------------------


def measure_labels(subject: Path):
    """Compare regions and vertices with the label images, for both built-in atlases."""
    for atlas in ("DesikanKilliany", "Destrieux"):
        found = run_anatomy(AnatomySettings(atlas=atlas), freesurfer=subject)
        print(f"{atlas}: {len(found.regions)} regions")
        print(f"  {differences(subject, atlas, found.regions)}")
        for side, share in vertex_agreement(subject, atlas, found).items():
            print(f"  hemisphere {side}: {share:.4f} of the vertices agree with the label image")
        for note in found.notes:
            print(f"  note: {note}")


def differences(subject, atlas, regions):
    """Compare names and volumes with a count of the label image's voxels."""
    image = nib.load(open_subject(subject, atlas).labels)
    values, counts = np.unique(np.asarray(image.dataobj), return_counts=True)
    names = freesurfer_names()
    volume = {
        canonical(names[int(value)]): count * voxel_volume(image.affine)
        for value, count in zip(values, counts, strict=True)
        if value
    }
    kept = {name: mm3 for name, mm3 in volume.items() if not is_dropped(name)}
    table = dict(zip(regions["name"], regions["volume"], strict=True))
    return {
        "missing": sorted(set(kept) - set(table)),
        "without voxels": sorted(set(table) - set(kept)),
        "largest volume difference mm3": max(abs(kept[n] - table[n]) for n in kept),
        "dropped": sorted(set(volume) - set(kept)),
    }


DEPTHS = (0.1, 0.3, 0.5, 0.7, 0.9)


def vertex_agreement(subject, atlas, found):
    """Return the share of vertices with the most frequent region of their cortical column.

    The pipeline uses the middle of the column. Here five depths vote; in a tie the depth nearer
    to the middle wins.
    """
    files = open_subject(subject, atlas)
    image = nib.load(files.labels)
    cortex = found.regions[found.regions["structure"] == "cortex"]
    index = dict(zip(cortex["name"], cortex["index"], strict=True))
    names = freesurfer_names()
    values = np.asarray(image.dataobj).astype(int)
    labels = np.zeros(values.max() + 1, dtype=int)
    for value in np.unique(values):
        labels[value] = index.get(canonical(names[int(value)]), 0)
    labels, to_voxels = labels[values], np.linalg.inv(image.affine)
    shares = {}
    for side, surface in found.surfaces.items():
        white, _ = read_surface(files.white[side], files.labels)
        columns = [white + depth * (surface.vertices - white) for depth in DEPTHS]
        places = [np.rint(apply_affine(to_voxels, column)).astype(int) for column in columns]
        here = np.array([labels[tuple(place.T)] for place in places])
        expected = most_frequent(here, np.array(DEPTHS))
        both = (expected > 0) & (surface.regions > 0)
        shares[side] = float((expected == surface.regions)[both].mean())
        unlabelled = float((surface.regions[expected > 0] == 0).mean())
        middle = float((surface.regions[here[2] > 0] == here[2][here[2] > 0]).mean())
        print(f"  hemisphere {side}: {both.mean():.3f} labelled in both, {unlabelled:.4f} of the "
              f"cortex without a region, {middle:.4f} equal to the middle voxel")  # fmt: skip
    return shares


def most_frequent(labels, depths):
    """Return the most frequent label of each column; 0 only if there is no other label."""
    votes = (labels[:, None] == labels[None]).sum(axis=0) * (labels > 0)
    best = np.argmax(votes - np.abs(depths - 0.5)[:, None], axis=0)
    return np.take_along_axis(labels, best[None], axis=0)[0]


def measure_built_in(subject: Path, out: Path):
    """Measure the overlap of the built-in method with FreeSurfer's labels on the same T1w image."""
    files = open_subject(subject)
    t1 = out / "t1.nii.gz"
    nib.save(read_image(files.t1), t1)
    ours = run_anatomy(AnatomySettings(), t1=t1)
    theirs = run_anatomy(AnatomySettings(), freesurfer=subject)
    table = dice_by_region(theirs.labels, theirs.regions, ours.labels, ours.regions)
    table = table[table["region"].isin(ours.regions["name"])]
    table.to_csv(out / "dice.tsv", sep="\t", index=False)
    for image, name in ((ours.labels, "labels"), (ours.t1, "bias-free"), (ours.brain_mask, "mask")):
        nib.save(image, out / f"{name}.nii.gz")
    nib.save(theirs.labels, out / "freesurfer-labels.nii.gz")
    print(json.dumps({k: v for k, v in ours.quality.items() if k != "dropped"}, default=str))
    print(table.groupby("structure")["dice"].describe().round(3).to_string())
    print(table.nsmallest(8, "dice").to_string(index=False))
    print(f"notes: {ours.notes}")


# ---- diffusion ------------------------------------------------------------------------------


def series_of(image: Path) -> DwiSeries:
    """Return the series of an image, with its bval, bvec and sidecar."""
    stem = image.name.removesuffix(".gz").removesuffix(".nii")
    paths = [image.with_name(f"{stem}.{ending}") for ending in ("bval", "bvec", "json")]
    return DwiSeries(image, paths[0], paths[1], paths[2] if paths[2].is_file() else None)


def files_of_structure(folder: Path) -> list[Path]:
    """Return the paths of the images of a structure."""
    return [folder / f"{name}.nii.gz" for name in ("t1", "mask", "tissues", "labels")]


def open_structure(folder: Path) -> Structure | None:
    """Open the structure of an earlier measurement; None if there is none."""
    paths = files_of_structure(folder)
    if not all(path.is_file() for path in paths):
        return None
    image = nib.load(paths[3])
    labels = np.asarray(image.dataobj).astype(int)
    return Structure(*paths, region_table(desikan_killiany().table, labels, image.affine, {}))


def save_structure(folder, t1, mask, tissues, labels, regions) -> Structure:
    """Write the images of a structure."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = files_of_structure(folder)
    for image, path in zip((t1, mask, tissues, labels), paths, strict=True):
        nib.save(image, path)
    return Structure(*paths, regions)


def template_structure(series: DwiSeries, out: Path) -> Structure:
    """Register the template to the mean diffusion-weighted volume of a head without T1w image."""
    loaded = load_series(series)
    weighted = loaded.volumes[..., ~loaded.table.is_b0].mean(axis=3)
    head = ndimage.binary_erosion(head_mask(loaded.mean_b0))
    small = make_image((weighted * head).astype(np.float32), loaded.affine)
    grid = isotropic(small, 1.5)
    values = nib.processing.resample_from_to(small, (grid.shape, grid.affine), order=1)
    patient = make_image(np.asarray(values.dataobj, dtype=np.float32), grid.affine)
    template, atlas = load_template(), desikan_killiany()
    work = out / "registration"
    work.mkdir(parents=True, exist_ok=True)
    affine = register_affine(patient, template.t1, work, 0)
    pairs = [Pair(patient, template.t1, "mattes")]
    warp = register_deformable(pairs, affine, work, 0, effort="quick")
    inside = make_image(template.mask.astype(np.float32), template.t1.affine)
    mask = np.asarray(warp.apply(inside, grid).dataobj) > 0.5
    t1 = warp.apply(template.t1, grid)
    labels = np.asarray(warp.apply(atlas.image, grid, labels=True).dataobj)
    zones = np.asarray(warp.apply(template.zones, grid, labels=True).dataobj)
    gm, wm = (np.asarray(warp.apply(t, grid).dataobj) for t in (template.gm, template.wm))
    tissues = Tissues(np.clip(1 - gm - wm, 0, 1) * mask, gm * mask, wm * mask)
    nuclei = np.isin(labels, atlas.table.loc[atlas.table["structure"] == "subcortex", "index"])
    five = five_tissues(tissues, mask, nuclei & mask, zones == BRAINSTEM)
    regions = region_table(atlas.table, labels, grid.affine, {})
    images = (t1, make_image(mask, grid.affine), make_image(five, grid.affine))
    return save_structure(out, *images, make_image(labels, grid.affine), regions)


def connectome_of(dwi: Path, structure: Structure, out: Path, settings, threads):
    """Return the connectome of a corrected series, as in the workflow; reuse an earlier one."""
    if (out / "ends.txt").is_file():
        return part(edges_of(out, len(structure.regions)), slice(None), structure.regions)
    files = AlignmentFiles(
        dwi=dwi,
        t1=structure.t1,
        t1_mask=structure.mask,
        tissues=structure.tissues,
        fod=out / "fod.mif",
        t1_to_dwi=out / "t1.txt",
        tissues_in_dwi=out / "tissues.mif",
        workdir=out / "work",
    )
    if not files.tissues_in_dwi.is_file():
        print("  fod:", estimate_fod(dwi, files.fod, files.workdir, threads), flush=True)
        print("  alignment:", align_t1(files), flush=True)
    tracks = TrackFiles(
        fod=files.fod,
        tissues=files.tissues_in_dwi,
        tracks=out / "tracks.tck",
        weights=out / "weights.txt",
        workdir=out / "work",
    )
    print("  tracks:", generate_tracks(tracks, settings, threads), flush=True)
    built = build_connectome(
        ConnectomeFiles(
            tracks=tracks.tracks,
            weights=tracks.weights,
            labels=structure.labels,
            t1_to_dwi=files.t1_to_dwi,
            fod=files.fod,
            workdir=out / "work",
        ),
        structure.regions,
        settings,
    )
    short = ("n_edges", "edge_share", "isolated_regions", "poorly_covered_regions",
             "assigned_share", "left_right_correlation")  # fmt: skip
    print("  connectome:", {key: built.quality[key] for key in short}, flush=True)
    tracks.tracks.unlink()
    (out / "work" / "ends.txt").replace(out / "ends.txt")
    shutil.rmtree(out / "work")
    return built.connectome


def edges_of(folder: Path, n_regions: int) -> Edges:
    """Read the streamline ends and weights that `connectome_of` writes."""
    ends = np.loadtxt(folder / "ends.txt", dtype=np.int64, ndmin=2)[:, :2] - 1
    weights = np.loadtxt(folder / "weights.txt", ndmin=1, comments="#").ravel()
    return Edges(ends, weights, np.zeros(len(ends)), n_regions)


def by_number(folders: list[Path], regions: pd.DataFrame) -> pd.DataFrame:
    """Return the agreement by number of streamlines, between series and within each series.

    Streamlines are drawn from the existing ones with their SIFT2 weights. Within a series the two
    sets have no streamline in common.
    """
    rng = np.random.default_rng(0)
    every = [edges_of(folder, len(regions)) for folder in folders]
    order = [rng.permutation(len(edges.ends)) for edges in every]
    total, rows = min(map(len, order)), []
    for n in (total // 8, total // 4, total // 2, total):
        pieces = [part(e, o[:n], regions) for e, o in zip(every, order, strict=True)]
        for i, piece in enumerate(pieces[1:], start=1):
            rows.append(("two series", folders[i].name, n, agreement(pieces[0], piece)))
        for i, piece in enumerate(pieces if n <= total // 2 else []):
            other = part(every[i], order[i][-n:], regions)
            rows.append(("halves of one series", folders[i].name, n, agreement(piece, other)))
    return pd.DataFrame([{"what": w, "series": s, "streamlines": n} | a for w, s, n, a in rows])


def part(edges: Edges, chosen, regions) -> Connectome:
    """Return the connectome of the chosen streamlines."""
    few = Edges(edges.ends[chosen], edges.weights[chosen], edges.lengths_mm[chosen], len(regions))
    weights = few.sums(few.weights)
    return Connectome(regions, weights, np.zeros_like(weights), "part")


def corrected(series, out: Path, settings, threads) -> Path:
    """Return the corrected series; preprocess it if there is none yet."""
    out.mkdir(parents=True, exist_ok=True)
    target = out / "dwi.mif"
    if target.is_file():
        return target
    quality = preprocess_dwi(series, target, out / "work", settings, threads=threads)
    for one in quality["corrections"]:
        print(f"  {one['name']}: {'made' if one['done'] else 'NOT made'}: {one['how']}")
    shown = ("snr_b0", "max_motion_mm", "orientation_margin", "susceptibility", "notes")
    print("  quality:", {key: quality.get(key) for key in shown}, flush=True)
    return target


def measure_tilts(images: list[Path], out: Path, settings, threads):
    """Compare the connectomes of one head in several slice orientations."""
    there = out / "structure"
    structure = open_structure(there) or template_structure(series_of(images[0]), there)
    found = []
    for image in images:
        print(image.name)
        folder = out / image.name.split(".")[0]
        dwi = corrected([series_of(image)], folder, settings, threads)
        found.append(connectome_of(dwi, structure, folder, settings, threads))
    for image, other in zip(images[1:], found[1:], strict=True):
        print(f"{images[0].name} / {image.name}: {agreement(found[0], other)}")
    folders = [out / image.name.split(".")[0] for image in images]
    print(by_number(folders, structure.regions).round(3).to_string(index=False))


def measure_directions(bids: Path, label: str, out: Path, settings, threads, run=None):
    """Compare the connectomes of both phase-encoding directions, with and without unwarping.

    `run` is the output of a finished run on the same person; its anatomy and its corrected series
    are used.
    """
    files = find_patient(bids, label)
    done = PatientLayout.of_results(run, label) if run else None
    structure = structure_of_run(done) if done else new_structure(files, out / "structure")
    both = done.dwi if done else corrected(files.dwi, out / "both", settings, threads)
    ends = np.cumsum([0, *(load_series(one).volumes.shape[3] for one in files.dwi)])
    unwarped, alone = [], []
    for one, (first, last) in zip(files.dwi, pairwise(ends), strict=True):
        folder = out / "unwarped" / one.image.name.split(".")[0]
        print("unwarped", one.image.name)
        folder.mkdir(parents=True, exist_ok=True)
        mrtrix.convert(both, folder / "dwi.mif", "-coord", 3, f"{first}:{last - 1}")
        unwarped.append(connectome_of(folder / "dwi.mif", structure, folder, settings, threads))
    print_agreement("unwarped", out / "unwarped", files.dwi, unwarped)
    for one in files.dwi:
        folder = out / "alone" / one.image.name.split(".")[0]
        print("not unwarped", one.image.name)
        dwi = corrected([one], folder, settings, threads)
        alone.append(connectome_of(dwi, structure, folder, settings, threads))
    print_agreement("not unwarped", out / "alone", files.dwi, alone)


def new_structure(files, folder: Path) -> Structure:
    """Return the anatomy of a person, made as in a run."""
    settings = AnatomySettings(registration="quick")
    found = run_anatomy(settings, t1=files.t1, freesurfer=files.freesurfer)
    print("anatomy:", found.notes)
    images = (found.t1, found.brain_mask, found.tissues, found.labels)
    return save_structure(folder, *images, found.regions)


def structure_of_run(layout: PatientLayout) -> Structure:
    """Return the anatomy of a finished run."""
    paths = (layout.t1, layout.brain_mask, layout.tissues, layout.labels)
    return Structure(*paths, read_table(layout.regions))


def print_agreement(title, folder, series, connectomes):
    """Print the agreement of two connectomes, also by number of streamlines."""
    print(f"{title}: {agreement(*connectomes)}")
    folders = [folder / one.image.name.split(".")[0] for one in series]
    print(by_number(folders, connectomes[0].regions).round(3).to_string(index=False), flush=True)


def agreement(first, second):
    """Return the project's comparison and Pearson's correlation of the weights."""
    upper = np.triu_indices(first.n_regions, k=1)
    plain = float(np.corrcoef(first.weights[upper], second.weights[upper])[0, 1])
    return {
        k: round(v, 3) for k, v in (compare_connectomes(first, second) | {"pearson": plain}).items()
    }


def measure_flipped(images: list[Path], out: Path):
    """Print the check's messages for a series and for its gradients with wrong axes."""
    out.mkdir(parents=True, exist_ok=True)
    for image in images:
        series = series_of(image)
        bvecs = np.loadtxt(series.bvec)
        changes = {f"{axis} reversed": (np.eye(3) - 2 * np.diag(np.eye(3)[i])) @ bvecs
                   for i, axis in enumerate("xyz")}  # fmt: skip
        changes |= {"x and y exchanged": bvecs[[1, 0, 2]], "y and z exchanged": bvecs[[0, 2, 1]]}
        print(image.name, "unchanged:", [str(p) for p in check_dwi([series])] or "no problem")
        for change, changed in changes.items():
            path = out / "changed.bvec"
            np.savetxt(path, changed)
            problems = check_dwi([replace(series, bvec=path)])
            print(f"  {change}:", [str(problem) for problem in problems] or "NOT FOUND", flush=True)


def measure_memory(run: Path, label: str, out: Path, settings, threads, copies):
    """Print the peak memory of tracking, SIFT2 and connectome (largest process)."""
    layout = PatientLayout.of_results(run, label)
    out.mkdir(parents=True, exist_ok=True)
    files = TrackFiles(
        fod=layout.fod,
        tissues=layout.tissues_in_dwi,
        tracks=out / "tracks.tck",
        weights=out / "weights.txt",
        workdir=out / "work",
    )
    part = replace(settings, streamlines=settings.streamlines // copies)
    generate_tracks(files, part, threads)
    print(f"tracking {part.streamlines}: {peaks()}", flush=True)
    if copies > 1:
        several = out / "several.tck"
        mrtrix.run("tckedit", *[files.tracks] * copies, several, "-force", threads=0)
        several.replace(files.tracks)
        weight_tracks(files, files.tissues)
        print(f"SIFT2 of {count_tracks(files.tracks)}: {peaks()}", flush=True)
    built = build_connectome(
        ConnectomeFiles(
            tracks=files.tracks,
            weights=files.weights,
            labels=layout.labels,
            t1_to_dwi=layout.t1_to_dwi,
            fod=layout.fod,
            workdir=out / "work",
        ),
        read_table(layout.regions),
        settings,
    )
    print(f"connectome of {built.connectome.n_regions} regions: {peaks()}")
    files.tracks.unlink()


def peaks():
    """Return the peak memory of this process and of its children, MB."""
    kinds = {"this process": resource.RUSAGE_SELF, "any child": resource.RUSAGE_CHILDREN}
    return {name: resource.getrusage(kind).ru_maxrss // 1024 for name, kind in kinds.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    kinds = ["labels", "built-in", "tilts", "directions", "flipped", "memory"]
    parser.add_argument("what", choices=kinds)
    parser.add_argument("paths", nargs="+")
    parser.add_argument("--streamlines", type=int, default=200_000)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--copies", type=int, default=1)
    parser.add_argument("--run", type=Path)
    options = parser.parse_args()
    settings = DiffusionSettings(streamlines=options.streamlines)
    paths = [Path(path) for path in options.paths]
    if options.what == "labels":
        measure_labels(paths[0])
    elif options.what == "built-in":
        paths[1].mkdir(parents=True, exist_ok=True)
        measure_built_in(*paths)
    elif options.what == "tilts":
        measure_tilts(paths[1:], paths[0], settings, options.threads)
    elif options.what == "memory":
        run, label, out = paths[0], options.paths[1], paths[2]
        measure_memory(run, label, out, settings, options.threads, options.copies)
    elif options.what == "flipped":
        measure_flipped(paths[1:], paths[0])
    else:
        label, out = options.paths[1], paths[2]
        measure_directions(paths[0], label, out, settings, options.threads, options.run)


if __name__ == "__main__":
    main()
