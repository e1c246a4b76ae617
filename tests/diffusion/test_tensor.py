import numpy as np
import pytest

from tests.diffusion.phantom import gradient_table
from virtualbrain.diffusion.tensor import (
    design_matrix,
    fit_tensor,
    fractional_anisotropy,
    predict_left_out,
    prediction_improvements,
)
from virtualbrain.io.gradients import GradientTable


def signal_of(tensor, table, s0=1000.0):
    g, b = table.directions, table.bvals
    return s0 * np.exp(-b * 1e-3 * np.einsum("ni,ij,nj->n", g, tensor, g))[None]


@pytest.fixture
def tensor():
    turn = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))[0]
    return turn @ np.diag([0.3, 0.5, 1.7]) @ turn.T


def test_a_known_tensor_is_recovered(tensor):
    table = gradient_table(12, 1000.0)
    values, vectors = fit_tensor(signal_of(tensor, table), table).eigen()
    assert values[0] == pytest.approx([0.3, 0.5, 1.7], abs=1e-6)
    assert abs(vectors[0, :, -1] @ np.linalg.eigh(tensor)[1][:, -1]) == pytest.approx(1)


def test_left_out_prediction_equals_a_fit_without_the_volume(tensor):
    table = gradient_table(15, 1000.0)
    rng = np.random.default_rng(0)
    signal = signal_of(tensor, table) * rng.uniform(0.9, 1.1, (4, len(table.bvals)))
    predicted = predict_left_out(signal, table)
    design = design_matrix(table)
    for i in (0, 5, 17):
        keep = np.arange(len(table.bvals)) != i
        fitted = np.linalg.lstsq(design[keep], np.log(signal[:, keep]).T, rcond=None)[0]
        assert predicted[:, i] == pytest.approx(np.exp(design[i] @ fitted), rel=1e-8)


def test_anisotropy_of_known_tensors():
    eigenvalues = np.array([[1.0, 1, 1], [0, 0, 1], [0, 0, 0], [0.2, 0.5, 1.4]])
    a, b, c, d = fractional_anisotropy(eigenvalues)
    assert (a, b, c) == pytest.approx((0, 1, 0))
    mean = eigenvalues[3].mean()
    expected = np.sqrt(1.5 * ((eigenvalues[3] - mean) ** 2).sum() / (eigenvalues[3] ** 2).sum())
    assert d == pytest.approx(expected)


def test_zero_signal_gives_finite_tensors():
    table = gradient_table(12)
    fit = fit_tensor(np.zeros((2, 15)), table)
    assert np.isfinite(fit.coefficients).all()


def test_improvement_equals_that_from_direct_predictions(series):
    """The squared errors from products of volumes equal those from predicting every voxel."""
    signal = series.volumes[series.head][:500].astype(float)
    table, weighted = series.table, ~series.table.is_b0
    wrong = GradientTable(table.bvals, np.roll(table.directions, 2, axis=0))
    found = prediction_improvements(signal, [table, wrong])
    logs = np.log(np.maximum(signal, np.maximum(signal.max(axis=1, keepdims=True) * 1e-3, 1e-6)))
    isotropic = np.column_stack([np.ones(len(table.bvals)), -table.bvals * 1e-3])
    for value, one in zip(found, (table, wrong), strict=True):
        error = (np.log(predict_left_out(signal, one)) - logs)[:, weighted]
        reference = np.empty_like(logs)
        for volume in range(len(table.bvals)):
            others = np.arange(len(table.bvals)) != volume
            fit = np.linalg.lstsq(isotropic[others], logs[:, others].T, rcond=None)[0]
            reference[:, volume] = isotropic[volume] @ fit
        expected = 1 - (error**2).sum() / ((reference - logs)[:, weighted] ** 2).sum()
        assert value == pytest.approx(expected, rel=1e-6)
    assert found[0] > found[1]
