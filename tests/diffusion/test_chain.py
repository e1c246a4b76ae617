"""All stages from a series with known bundles to the connectome, with MRtrix3."""

from dataclasses import replace
from functools import partial

import nibabel as nib
import numpy as np
import pytest

from tests.diffusion.phantom import (
    AFFINE,
    SHAPE,
    gradient_table,
    make_series,
    region_table,
    save_series,
)
from virtualbrain.diffusion import mrtrix
from virtualbrain.diffusion.alignment import AlignmentFiles, align_t1
from virtualbrain.diffusion.connectome import ConnectomeFiles, build_connectome
from virtualbrain.diffusion.fod import estimate_fod
from virtualbrain.diffusion.preprocess import preprocess_dwi
from virtualbrain.diffusion.region_ends import counts_between, write_regions_in_dwi
from virtualbrain.diffusion.series import read_mif
from virtualbrain.diffusion.settings import DiffusionSettings
from virtualbrain.diffusion.tracks import TrackFiles, generate_tracks
from virtualbrain.errors import InputError
from virtualbrain.io.gradients import GradientTable
from virtualbrain.rigid_registration import read_itk_matrix

pytestmark = [pytest.mark.tools, pytest.mark.slow]

SETTINGS = DiffusionSettings(streamlines=1500, parts=4, motion="none", resamples=20)


def write_anatomy(phantom, series, folder):
    """Write T1, mask, labels and tissues: bundles white, their ends grey, all else fluid."""
    volumes = {
        "t1": series.mean_b0.astype(np.float32),
        "mask": phantom.head.astype(np.uint8),
        "labels": phantom.ends.astype(np.int16),
    }
    tissues = np.zeros((*SHAPE, 5), dtype=np.float32)
    tissues[..., 0] = phantom.ends > 0
    tissues[..., 2] = phantom.bundle > 0
    tissues[..., 3] = phantom.head & (phantom.ends == 0) & (phantom.bundle == 0)
    volumes["5tt"] = tissues
    for name, values in volumes.items():
        nib.save(nib.Nifti1Image(values, AFFINE), folder / f"{name}.nii.gz")


@pytest.fixture(scope="module")
def made(phantom, tmp_path_factory):
    """Run all stages once; return the folder and the quality figures."""
    folder = tmp_path_factory.mktemp("chain")
    series = make_series(gradient_table(30, 2500.0), phantom=phantom)
    files = save_series(series, folder / "raw")
    write_anatomy(phantom, series, folder)
    work = folder / "work"
    quality = preprocess_dwi([files], folder / "dwi.mif", work, SETTINGS, threads=2)
    quality |= estimate_fod(folder / "dwi.mif", folder / "fod.mif", work, 2)
    quality |= align_t1(
        AlignmentFiles(
            dwi=folder / "dwi.mif",
            t1=folder / "t1.nii.gz",
            t1_mask=folder / "mask.nii.gz",
            tissues=folder / "5tt.nii.gz",
            fod=folder / "fod.mif",
            t1_to_dwi=folder / "x.txt",
            tissues_in_dwi=folder / "5tt.mif",
            workdir=work,
        )
    )
    quality |= generate_tracks(track_files(folder), SETTINGS, 2)
    return folder, quality


def track_files(folder, name="tracks"):
    return TrackFiles(
        fod=folder / "fod.mif",
        tissues=folder / "5tt.mif",
        tracks=folder / f"{name}.tck",
        weights=folder / f"{name}.txt",
        workdir=folder / f"work-{name}",
    )


def built(folder, name="tracks"):
    files = ConnectomeFiles(
        tracks=folder / f"{name}.tck",
        weights=folder / f"{name}.txt",
        labels=folder / "labels.nii.gz",
        t1_to_dwi=folder / "x.txt",
        fod=folder / "fod.mif",
        workdir=folder / "work",
    )
    return build_connectome(files, region_table(), SETTINGS)


def test_corrections_are_reported(made):
    quality = made[1]
    reported = {entry["name"]: entry["done"] for entry in quality["corrections"]}
    assert reported == {
        "noise": True, "ringing": True, "motion": False, "eddy currents": False,
        "susceptibility": False, "bias": True,
    }  # fmt: skip
    notes = " ".join(quality["notes"])
    missing = [one for one in quality["corrections"] if not one["done"]]
    assert all(f"{one['name']} ({one['how']})" in notes and one["how"] for one in missing)
    assert quality["shells"] == {"0": 3, "2500": 30}
    assert quality["orientation_best"] == "as given"
    assert quality["snr_b0"] > 10


@pytest.mark.parametrize(("order", "n_coefficients"), [(0, 45), (4, 15)])
def test_fods_have_the_given_order(made, tmp_path, order, n_coefficients):
    estimate_fod(made[0] / "dwi.mif", tmp_path / "fod.mif", tmp_path / "work", 1, order)
    mrtrix.convert(tmp_path / "fod.mif", tmp_path / "fod.nii")
    assert nib.load(tmp_path / "fod.nii").shape[3] == n_coefficients


def test_registration_of_an_aligned_t1_is_the_identity(made):
    folder, quality = made
    corner = np.array([30.0, 30, 30, 1])
    moved = read_itk_matrix(folder / "x.txt") @ corner
    assert np.linalg.norm(moved - corner) < 1.0
    assert quality["t1_overlap"] > 0.9


def test_weights_are_fitted_to_the_signal(made):
    weights = np.loadtxt(made[0] / "tracks.txt", comments="#").ravel()
    assert len(weights) == SETTINGS.streamlines
    assert weights.min() >= 0
    assert weights.std() > 0.05


def test_only_the_true_bundles_are_found(made):
    found = built(made[0])
    weights = found.connectome.weights
    true = np.zeros((6, 6), dtype=bool)
    for k in range(3):
        true[2 * k, 2 * k + 1] = true[2 * k + 1, 2 * k] = True
    assert weights[true].min() > 0
    assert weights[true].sum() > 0.95 * weights.sum()
    lengths = found.connectome.lengths_mm[true]
    assert (lengths > 40).all()
    assert (lengths < 110).all()
    assert found.quality["coverage"]["R-area0"] == 1
    assert found.quality["poorly_covered_regions"] == []


def test_same_seed_gives_the_same_files_on_any_number_of_cores(made):
    folder, _ = made
    files = track_files(folder, "again")
    generate_tracks(files, SETTINGS, 1)
    first, second = folder / "tracks.txt", files.weights
    strip = [
        [line for line in p.read_text().splitlines() if line[:1] != "#"] for p in (first, second)
    ]
    assert strip[0] == strip[1]
    a, b = built(folder), built(folder, "again")
    assert np.array_equal(a.connectome.weights, b.connectome.weights)
    assert np.array_equal(a.reliability, b.reliability)


def test_tracking_ends_early_if_the_bundles_are_found_again(made):
    folder, _ = made
    files = track_files(folder, "early")
    files.workdir.mkdir()
    table = region_table()
    nodes = write_regions_in_dwi(folder / "labels.nii.gz", folder / "x.txt", table, files.workdir)
    counts_of = partial(
        counts_between,
        nodes=nodes,
        n_regions=len(table),
        search_radius_mm=SETTINGS.search_radius_mm,
        workdir=files.workdir,
    )
    settings = replace(SETTINGS, agreement=0.5)
    quality = generate_tracks(files, settings, 2, counts_of)
    assert quality["split_half_agreement"] >= 0.5
    assert quality["streamlines"] == 2 * SETTINGS.streamlines // SETTINGS.parts
    assert built(folder, "early").counts.sum() > 0
    assert not list(files.workdir.glob("*.tck"))


def test_another_seed_gives_other_streamlines(made):
    folder, _ = made
    files = track_files(folder, "other")
    generate_tracks(files, replace(SETTINGS, seed=9), 2)
    assert not np.array_equal(built(folder, "other").counts, built(folder).counts)


def test_gradients_are_kept_in_the_mrtrix_image(made):
    folder, _ = made
    back = read_mif(folder / "dwi.mif", folder / "work")
    assert np.allclose(np.abs(np.diag(back.affine)[:3]), 3)
    assert np.allclose(back.table.directions, gradient_table(30).directions, atol=1e-5)


def test_tractography_without_tissues(made):
    folder, _ = made
    files = replace(track_files(folder, "plain"), tissues=None)
    quality = generate_tracks(files, replace(SETTINGS, streamlines=500), 2)
    assert quality["tissue_constraint"] is False
    assert quality["seeding"] == "-seed_image"


def test_images_without_overlap_are_rejected(made, tmp_path):
    folder, _ = made
    shape = (30, 30, 30)
    needle = np.zeros(shape, np.uint8)
    needle[14:16, 14:16, 2:28] = 1
    nib.save(nib.Nifti1Image(needle, AFFINE), tmp_path / "mask.nii.gz")
    nib.save(nib.Nifti1Image(needle * np.float32(100), AFFINE), tmp_path / "t1.nii.gz")
    files = AlignmentFiles(
        dwi=folder / "dwi.mif",
        t1=tmp_path / "t1.nii.gz",
        t1_mask=tmp_path / "mask.nii.gz",
        tissues=folder / "5tt.nii.gz",
        fod=folder / "fod.mif",
        t1_to_dwi=tmp_path / "x.txt",
        tissues_in_dwi=tmp_path / "5tt.mif",
        workdir=tmp_path,
    )
    with pytest.raises(InputError, match="overlap"):
        align_t1(files)
    assert not (tmp_path / "x.txt").exists()


def test_a_series_of_one_volume_is_joined_to_the_others(phantom, tmp_path):
    series = make_series(gradient_table(12, 2500.0), phantom=phantom)
    table = GradientTable(series.table.bvals[:1], series.table.directions[:1])
    first = replace(series, volumes=series.volumes[..., :1], table=table)
    files = [
        save_series(first, tmp_path / "raw", "sub-01_dir-AP_dwi"),
        save_series(series, tmp_path / "raw", "sub-01_dir-PA_dwi"),
    ]
    quality = preprocess_dwi(files, tmp_path / "dwi.mif", tmp_path / "work", SETTINGS, threads=1)
    joined = read_mif(tmp_path / "dwi.mif", tmp_path / "work")
    assert joined.volumes.shape[3] == 1 + series.volumes.shape[3]
    noise = next(one for one in quality["corrections"] if one["name"] == "noise")
    assert noise["done"]  # the log describes the series, not the single volume
