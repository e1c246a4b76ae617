"""Names of plans, short answers of the first page, and sides of the pictures."""

import base64
import io
from itertools import pairwise
from types import SimpleNamespace

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from virtualbrain.report import drawing
from virtualbrain.report.colours import ColourScale
from virtualbrain.report.findings import effective_draws, leading_plans, unsettled
from virtualbrain.report.first_page import first_page, side_of
from virtualbrain.report.region_times import rows_of, started_by
from virtualbrain.report.reliability import (
    MEASURED,
    WITH_COMPONENTS,
    measured_for,
    reliability_of,
    reliability_sentence,
)
from virtualbrain.report.words import in_words, operation

HIPPOCAMPUS, AMYGDALA = "Right-Hippocampus", "Right-Amygdala"
MIDDLE, INFERIOR = "ctx-rh-middletemporal", "ctx-rh-inferiorparietal"


@pytest.mark.parametrize(
    ("kind", "regions", "name"),
    [
        ("resection", (MIDDLE,), "resection of the right middle temporal gyrus"),
        ("ablation", (HIPPOCAMPUS,), "ablation of the right hippocampus"),
        ("resection", (MIDDLE, HIPPOCAMPUS), "right temporal resection with hippocampus"),
        ("resection", (AMYGDALA, HIPPOCAMPUS), "right resection of hippocampus and amygdala"),
        ("clinical", (MIDDLE, INFERIOR), "right temporal-parietal resection"),
        (
            "resection",
            (MIDDLE, "Left-Hippocampus"),
            "bilateral temporal resection with hippocampus",
        ),
        ("resection", (MIDDLE, "area 17"), ""),
        ("resection", ("area 17",), ""),
        ("resection", (), ""),
    ],
)
def test_a_plan_is_described_as_an_operation(kind, regions, name):
    assert operation(kind, regions) == name


def test_only_complete_labels_are_put_into_words():
    labels = ["ctx-rh-insula", "ctx-rh-insula-2"]
    text = "ctx-rh-insula, ctx-rh-insula-2 and actx-rh-insula"
    assert in_words(text, labels) == "right insula, ctx-rh-insula-2 and actx-rh-insula"


def _region(name, hemisphere, p_ez):
    return SimpleNamespace(name=name, hemisphere=hemisphere, p_ez=p_ez, in_hypothesis=False)


@pytest.mark.parametrize(
    ("left", "right", "side"),
    [
        (0.02, 0.9, "right"),
        (0.9, 0.06, "left"),
        (0.3, 0.6, "mostly right (67 % of the summed P(EZ))"),
        (0.0, 0.01, "unknown"),
    ],
)
def test_the_side_follows_the_suspected_regions(left, right, side):
    assert side_of([_region("a", "L", left), _region("b", "R", right)]) == side


@pytest.mark.parametrize("name", list(MEASURED))
def test_measured_ranges_are_in_order_and_hold_a_fraction(name):
    method, separated = name.removesuffix(WITH_COMPONENTS), name.endswith(WITH_COMPONENTS)
    measured = measured_for({"method": method, "n_components": 3 * separated})
    assert measured == MEASURED[name]
    for one, following in pairwise(measured):
        assert one.high <= following.low
    assert all(0 <= one.seen[0] <= one.seen[1] <= 1 for one in measured)
    assert reliability_of(1.0, measured) == measured[-1]
    assert reliability_of(0.05, measured) is None
    assert reliability_of(float("nan"), measured) is None
    assert measured_for({"method": "laplace"}) == ()


def test_the_sentence_names_each_range_once_and_the_patients_once():
    high, low = MEASURED["onsets"][-1], MEASURED["onsets"][0]
    words = reliability_sentence([high, high, None, low])
    assert words.count(high.patients) == words.count(high.words) == words.count(low.words) == 1
    assert words.index(high.words) < words.index(low.words)
    assert "not been measured" in reliability_sentence([None])


def test_gains_belong_to_the_first_plan_and_start_from_no_surgery():
    rows = [SimpleNamespace(kind="none", share_free=0.1, candidate="no surgery")]
    outcomes = SimpleNamespace(
        rows=rows, gains=((MIDDLE, 0.5), (HIPPOCAMPUS, 0.9)), fitted=True, p_elsewhere=0.25,
        p_sampled=0.8,
    )  # fmt: skip
    frame = SimpleNamespace(candidate="x", region=AMYGDALA, p_seizing=0.3)
    seldom = SimpleNamespace(candidate="x", region=INFERIOR, p_seizing=0.05)
    main = SimpleNamespace(
        outcomes=outcomes, recruitment=(seldom, frame), next_regions=None, diagnostics=None
    )
    regions = [_region(n, "R", 0.5) for n in (MIDDLE, HIPPOCAMPUS, AMYGDALA, INFERIOR)]
    plan = SimpleNamespace(candidate="x", regions=(HIPPOCAMPUS, MIDDLE))
    found = first_page(SimpleNamespace(main=main), regions, regions[:2], [plan])
    scale = 0.75 * 0.8
    assert [step.gain for step in found.steps] == pytest.approx([0.4 * scale, 0.4 * scale])
    assert found.steps[-1].p_seizure_free == pytest.approx(0.9 * scale)
    assert [one.region.name for one in found.remaining] == [AMYGDALA]
    assert found.reliability == (None, None)
    assert found.hypothesis == "not stated"
    assert found.clinic is None
    other = SimpleNamespace(candidate="y", regions=(AMYGDALA,))
    assert first_page(SimpleNamespace(main=main), regions, (), [other]).steps == ()


LIMITS = {"p_ez_error": [0.05, 0.15], "r_hat": [1.05, 1.5]}


@pytest.mark.parametrize(
    ("error", "r_hat", "words"),
    [
        (0.02, 1.01, ""),
        (None, None, ""),
        (0.1, 1.2, "change a P(EZ) by 10 points"),
        (0.1, 1.01, "change a P(EZ) by 10 points"),
        (0.02, 1.2, "The fit has not settled. "),
        (0.02, 1.06, ""),
    ],
)
def test_chains_that_disagree_are_said_in_plain_words(error, r_hat, words):
    sentence = unsettled({"p_ez_error_max": error, "r_hat_max": r_hat, "thresholds": LIMITS})
    assert words in sentence
    assert bool(sentence) == bool(words)


def test_a_large_monte_carlo_error_widens_the_intervals():
    def priors(error):
        figures = {"p_ez_error_max": error, "p_ez_error_region": MIDDLE}
        rows = [SimpleNamespace(region=MIDDLE, p_ez=0.8)]
        return SimpleNamespace(
            outcomes=SimpleNamespace(n_draws=200),
            diagnostics=SimpleNamespace(figures=figures),
            zones=SimpleNamespace(rows=rows),
        )

    assert effective_draws(priors(0.1)) == pytest.approx(16.0)
    assert effective_draws(priors(0.0)) == effective_draws(priors(None)) == 200
    assert effective_draws(priors(0.02)) == 200  # 400 independent draws: all count


def test_a_plan_that_only_removes_more_is_not_among_the_first():
    def plan(rank, regions, share_free):
        return SimpleNamespace(
            rank=rank, kind="resection", candidate=str(rank), regions=regions, share_free=share_free
        )

    first = plan(1, (MIDDLE,), 0.8)
    larger = plan(2, (MIDDLE, INFERIOR), 0.805)
    better, other = plan(3, (MIDDLE, HIPPOCAMPUS), 0.85), plan(4, (HIPPOCAMPUS,), 0.4)
    assert leading_plans([first, larger, better, other]) == (first, better, other)


def test_a_plan_of_the_clinic_is_named_once():
    def plan(rank, kind="resection", named=True):
        return SimpleNamespace(
            rank=rank, kind=kind, named_by_regions=named, candidate=str(rank), regions=()
        )

    main = SimpleNamespace(outcomes=None, recruitment=None, next_regions=None, diagnostics=None)
    results = SimpleNamespace(main=main)
    shown, clinic = [plan(1), plan(2)], plan(7, named=False)
    rest = [plan(3, "sham", named=False), plan(5, "disconnection", named=False), plan(9, "none")]
    assert first_page(results, (), (), shown, [*shown, *rest, clinic]).clinic is clinic
    assert first_page(results, (), (), [*shown, clinic], [*shown, *rest, clinic]).clinic is None
    assert first_page(results, (), (), shown, [*shown, *rest]).clinic is None


@pytest.mark.parametrize("name", list(drawing.VIEWS))
def test_the_letters_are_on_the_sides_of_the_patient(name):
    view = drawing.VIEWS[name]
    if not view.hemisphere:  # both sides are visible
        assert view.letters == (("L", "R") if view.right[0] > 0 else ("R", "L"))
        return
    assert "".join(view.letters) == view.hemisphere
    outwards = -1 if view.hemisphere == "L" else 1
    assert view.towards[0] == (-outwards if "medial" in name else outwards)


@pytest.mark.parametrize("name", list(drawing.VIEWS))
def test_no_view_is_mirrored(name):
    view = drawing.VIEWS[name]
    assert np.array_equal(np.cross(view.right, view.up), view.towards)


def test_the_left_of_the_head_is_on_the_left_of_a_slice():
    head = np.full((30, 40, 20), 50.0, dtype=np.float32)
    head[:10] = 1000.0  # x grows from left to right
    t1 = nib.Nifti1Image(head, np.diag([1.0, 1.0, 1.0, 1.0]))
    found = drawing.slices(t1, None, {}, ColourScale(0, 1), None, "T1")
    assert [one.z_mm for one in found] == sorted(one.z_mm for one in found)
    pixels = _pixels(found[0].image)
    half = pixels.shape[1] // 2
    assert pixels[:, : half // 2].mean() > pixels[:, half:].mean() + 50


def test_slices_go_through_the_plan_and_outline_it():
    head = np.full((30, 40, 20), 50.0, dtype=np.float32)
    labels = np.ones(head.shape, dtype=np.int16)
    labels[5:12, 10:20, 4:8] = 7
    images = (nib.Nifti1Image(head, np.eye(4)), nib.Nifti1Image(labels, np.eye(4)))
    found = drawing.slices(*images, {}, ColourScale(0, 1), None, "T1", planned=[7])
    assert {one.z_mm for one in found} <= {4.0, 5.0, 6.0, 7.0}
    for one in found:
        red, green, blue = _pixels(one.image).astype(int).transpose(2, 0, 1)
        assert ((red > 200) & (blue > 150) & (green < 130)).sum() > 30


@pytest.mark.parametrize("sizes", [(1.0, 1.0, 1.0), (2.0, 1.0, 1.5)])
def test_the_outline_holds_white_matter_between_gyri_and_no_other_region(sizes):
    resected = np.zeros((40, 30, 24), dtype=bool)
    resected[5:12, 5:25, 5:20] = True
    resected[15:20, 5:25, 5:20] = True  # a gap of three voxels
    resected[30:33, 5:25, 5:20] = True  # a gap of ten voxels
    other = np.zeros_like(resected)
    other[12:15, 5:10] = True
    affine = nib.affines.from_matvec(np.diag(sizes), [3, 4, 5])
    found = drawing.with_gaps(resected, ~other & ~resected, affine)
    assert (found >= resected).all()
    assert found[13, 12:20, 10].all()
    assert not (found & other).any()
    assert not found[24:27].any()
    assert not found[:, :5].any()
    assert not found[:, 25:].any()


def test_regions_are_in_order_of_onset_and_start_once():
    rng = np.random.default_rng(3)
    draws = np.stack([rng.normal(8, 1, 200), rng.normal(3, 1, 200), np.full(200, np.nan)], axis=1)
    draws[rng.random(200) < 0.4, 1] = np.nan
    assert list(rows_of(draws)) == [1, 0]
    times = np.linspace(-5, 20, 60)
    started = started_by(draws, times)
    assert (np.diff(started, axis=1) >= 0).all()
    assert started[:, 0] == pytest.approx(0)
    assert started[:, -1] == pytest.approx(np.isfinite(draws).mean(axis=0))


def _pixels(image):
    content = base64.b64decode(image.source.split(",")[1])
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
