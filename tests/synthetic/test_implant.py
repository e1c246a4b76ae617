import numpy as np
import pytest
from scipy.spatial import ConvexHull
from scipy.spatial.distance import cdist

from virtualbrain.errors import ModelError
from virtualbrain.synthetic.implant import ImplantSettings, plan_implantation, regions_of_contacts
from virtualbrain.synthetic.points import atlas_head

FOCUS = ("Left-Hippocampus", "ctx-lh-lateralorbitofrontal")


@pytest.fixture(scope="module")
def points():
    return atlas_head()[1]


@pytest.fixture(scope="module", params=[1, 2, 3])
def plan(points, request):
    return plan_implantation(points, FOCUS, np.random.default_rng(request.param))


def test_electrodes_are_straight_and_evenly_spaced(plan):
    for _, contacts in plan.groupby("electrode"):
        steps = np.diff(contacts[["x", "y", "z"]].to_numpy(), axis=0)
        assert np.linalg.norm(steps, axis=1) == pytest.approx(3.5)
        assert np.ptp(steps, axis=0) == pytest.approx(0, abs=1e-9)


def test_numbers_of_electrodes_and_contacts_are_within_the_settings(plan):
    sizes = plan.groupby("electrode").size()
    assert 8 <= len(sizes) <= 12
    assert sizes.between(10, 15).all()
    assert plan["name"].is_unique
    assert (plan["name"] == plan["electrode"] + plan["number"].astype(str)).all()


def test_first_contact_is_the_deepest_and_the_last_is_near_the_surface(plan, points):
    ends = plan.groupby("electrode").agg(first=("x", "first"), last=("x", "last"))
    assert (ends["first"].abs() < ends["last"].abs()).all()
    hull = ConvexHull(points.positions_mm[::7])
    places = plan[["x", "y", "z"]].to_numpy()
    assert (hull.equations[:, :3] @ places.T + hull.equations[:, 3:]).max() < 2.0


def test_left_electrodes_have_an_apostrophe_and_are_on_the_left(plan):
    left = plan["electrode"].str.endswith("'")
    assert (plan.loc[left, "x"] < 0).all()
    assert (plan.loc[~left, "x"] > 0).all()
    assert left.any()
    assert (~left).any()


def test_electrodes_keep_their_clearance(plan):
    parts = [p[["x", "y", "z"]].to_numpy() for _, p in plan.groupby("electrode")]
    gaps = [cdist(a, b).min() for i, a in enumerate(parts) for b in parts[:i]]
    assert min(gaps) >= ImplantSettings().clearance_mm


def test_focus_is_sampled_and_some_contacts_are_in_white_matter(plan, points):
    regions = regions_of_contacts(points, plan)
    assert all(regions.count(name) >= 2 for name in FOCUS)
    assert 0.1 < regions.count("n/a") / len(regions) < 0.7
    assert len(set(regions)) > 8


def test_contacts_keep_away_from_avoided_regions(points):
    hidden = "ctx-lh-superiortemporal"
    plan = plan_implantation(points, FOCUS[1:], np.random.default_rng(1), avoid=(hidden,))
    gap = cdist(plan[["x", "y", "z"]].to_numpy(), points.of(hidden)).min()
    assert gap >= ImplantSettings().avoid_mm


def test_plan_moves_with_the_head(points):
    turned = points.moved(points.positions_mm + np.array([30.0, -12.0, 8.0]))
    here = plan_implantation(points, FOCUS, np.random.default_rng(5))
    there = plan_implantation(turned, FOCUS, np.random.default_rng(5))
    difference = there[["x", "y", "z"]].to_numpy() - here[["x", "y", "z"]].to_numpy()
    assert difference == pytest.approx(np.tile([30.0, -12.0, 8.0], (len(here), 1)), abs=1e-6)
    assert (here["name"] == there["name"]).all()


def test_unknown_focus_raises_an_error(points):
    with pytest.raises(ModelError, match="unknown region ctx-lh-nowhere"):
        plan_implantation(points, ("ctx-lh-nowhere",), np.random.default_rng(1))


def test_unreachable_focus_raises_an_error(points):
    settings = ImplantSettings(clearance_mm=500.0)
    with pytest.raises(ModelError, match="no electrode reaches ctx-lh-lateralorbitofrontal"):
        plan_implantation(points, FOCUS, np.random.default_rng(1), settings)
