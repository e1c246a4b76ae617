r"""Forward from the nodes of a surface to the channels, and the onset of each channel.

Powers of independent sources add up (`virtualbrain.seeg.gain`): a vertex is a dipole along its
normal with the volume of its cortex. A channel is above rest by

.. math:: \log\Big(1 + P \sum_v H_{cv} [v \text{ seizes}]\Big)

with the gain H, whose rows sum to one, and the power P of a seizing source. Its onset is the time
at which this passes the factor by which power must rise in the recording.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import spearmanr

from virtualbrain.cortex.ensemble import medians
from virtualbrain.cortex.mesh import PatientMesh
from virtualbrain.cortex.network import Nodes
from virtualbrain.errors import InputError
from virtualbrain.seeg.gain import Sources, centre_sources, power_gain, unit_rows, volume_sources
from virtualbrain.seeg.montage import weight_matrix
from virtualbrain.seeg.settings import SeegSettings

Array = NDArray[np.float64]

# Where the posterior has no power of seizing sources: share of a channel's gain that must seize.
_SHARE_WITHOUT_POWER = 0.1
_SHARE_RANGE = (0.02, 0.9)


def channel_gain(
    mesh: PatientMesh,
    nodes: Nodes,
    channels: pd.DataFrame,
    contacts: pd.DataFrame,
    regions: pd.DataFrame,
    labels: Any,
    settings: SeegSettings,
) -> Array:
    """Return the gain of every channel for every node; rows sum to one.

    Parameters
    ----------
    mesh, nodes
        The surface and its nodes.
    channels : pandas.DataFrame
        Channels, with `name`, `anode` and `cathode`.
    contacts : pandas.DataFrame
        Contacts, with `name`, `x`, `y`, `z`.
    regions : pandas.DataFrame
        Region table.
    labels : nibabel image
        Label image, for regions without vertices.
    settings : SeegSettings
        Cortical thickness and smallest distance.

    Raises
    ------
    InputError
        A contact of a channel has no coordinates.
    """
    used = contacts[np.isfinite(contacts[["x", "y", "z"]].to_numpy(float)).all(axis=1)]
    rows = [_signs(row) for row in channels.to_dict("records")]
    known = set(used["name"])
    for name in {name for row in rows for name in row} - known:
        raise InputError(
            f"the contact {name} has no coordinates",
            where="table of contacts",
            hint="run the stage seeg again",
        )
    weights = weight_matrix(rows, list(used["name"]))
    gain = power_gain(
        used[["x", "y", "z"]].to_numpy(float),
        weights,
        _sources(mesh, nodes, regions, labels, settings.cortical_thickness_mm),
        len(nodes.region),
        settings.clamp_mm,
        dipole=True,
    )
    return unit_rows(gain)


def _signs(row: dict[Any, Any]) -> dict[str, float]:
    """Return the contacts of a channel with their weights."""
    contacts = {str(row["anode"]): 1.0}
    if isinstance(row["cathode"], str) and row["cathode"]:
        contacts[row["cathode"]] = -1.0
    return contacts


def _sources(
    mesh: PatientMesh, nodes: Nodes, regions: pd.DataFrame, labels: Any, thickness_mm: float
) -> Sources:
    """Return one source per vertex, and those of regions without vertices; rows are nodes."""
    vertices = Sources(
        points=mesh.cortex.vertices_mm,
        volumes=mesh.cortex.areas_mm2 * thickness_mm,
        regions=np.arange(nodes.n_vertices),
        normals=mesh.normals,
        kind="surface",
    )
    node_of = {str(nodes.names[k]): k for k in range(nodes.n_vertices, len(nodes.region))}
    wanted = regions["name"].isin(list(node_of)).to_numpy()
    parts = [vertices]
    if wanted.any():
        found = volume_sources(regions, labels, wanted)
        missing = wanted.copy()
        missing[np.unique(found.regions)] = False
        parts += [found, centre_sources(regions, missing)] if missing.any() else [found]
    number = np.array([node_of.get(str(name), 0) for name in regions["name"]], dtype=np.int64)
    return Sources(
        points=np.concatenate([p.points for p in parts]),
        volumes=np.concatenate([p.volumes for p in parts]),
        regions=np.concatenate([vertices.regions, *(number[p.regions] for p in parts[1:])]),
        normals=np.concatenate([p.normals for p in parts]),
        kind="surface and volume",
    )


def onset_share(log_power: float | None, factor: float) -> float:
    """Return the share of a channel's gain that must seize for its power to rise by a factor.

    Parameters
    ----------
    log_power : float or None
        Log power of a seizing source relative to rest, from the posterior.
    factor : float
        Factor of the onset detector.
    """
    if log_power is None:
        return _SHARE_WITHOUT_POWER
    return float(np.clip((factor - 1.0) / np.expm1(log_power), *_SHARE_RANGE))


def channel_onsets(gain: Array, onset_s: Array, share: float) -> Array:
    """Return when the seizing sources first make up a share of each channel's gain.

    Parameters
    ----------
    gain : numpy.ndarray, shape (n_channels, n_sources)
        Rows sum to one.
    onset_s : numpy.ndarray, shape (n_sources,)
        Onset of each source; NaN if it does not seize.
    share : float
        Share that must seize.

    Returns
    -------
    numpy.ndarray, shape (n_channels,)
        NaN where it is never reached.
    """
    seizing = np.flatnonzero(np.isfinite(onset_s))
    if not len(seizing):
        return np.full(len(gain), np.nan)
    order = seizing[np.argsort(onset_s[seizing], kind="stable")]
    reached = np.cumsum(gain[:, order], axis=1) >= share
    return np.where(reached.any(axis=1), onset_s[order][reached.argmax(axis=1)], np.nan)


def median_channel_onsets(
    gain: Array, onset_s: Array, share: float, least: float = 0.5
) -> tuple[Array, Array]:
    """Return the median onset of each channel over draws, and the share of draws with one.

    Parameters
    ----------
    gain : numpy.ndarray, shape (n_channels, n_sources)
        Rows sum to one.
    onset_s : numpy.ndarray, shape (n_draws, n_sources)
        Onsets.
    share : float
        As in `channel_onsets`.
    least : float
        A channel without onset in more of the draws has none.
    """
    each = np.array([channel_onsets(gain, one, share) for one in onset_s])
    return medians(each, least), np.isfinite(each).mean(axis=0)


def agreement(recorded_s: Array, modelled_s: Array) -> dict[str, float | int | None]:
    """Return how modelled onsets agree with the recorded ones.

    Returns
    -------
    dict
        `recorded`: channels with a recorded onset; `both`: of these, with a modelled one; `extra`:
        channels with a modelled onset alone; `rank_correlation` (Spearman) and
        `median_error_s` (absolute) over those with both, None where there are fewer than three.
    """
    recorded, modelled = np.isfinite(recorded_s), np.isfinite(modelled_s)
    both = recorded & modelled
    varied = both.sum() > 2 and np.ptp(recorded_s[both]) > 0 and np.ptp(modelled_s[both]) > 0
    return {
        "recorded": int(recorded.sum()),
        "both": int(both.sum()),
        "extra": int((modelled & ~recorded).sum()),
        "rank_correlation": float(spearmanr(recorded_s[both], modelled_s[both])[0])
        if varied
        else None,
        "median_error_s": float(np.median(np.abs(recorded_s - modelled_s)[both]))
        if both.sum() > 2
        else None,
    }


def comparison(
    channels: pd.DataFrame,
    surface: tuple[Array, Array],
    region: tuple[Array, Array],
    simulated: tuple[Array, Array],
) -> pd.DataFrame:
    """Return the table of onsets, with shares of draws.

    Parameters
    ----------
    channels : pandas.DataFrame
        Channels with their recorded onsets.
    surface, region, simulated : tuple
        Of `median_channel_onsets`: surface model, fitted onsets of the regions, and the fitted
        network of regions simulated with the draws of the surface model.
    """
    return pd.DataFrame(
        {
            "name": list(channels["name"]),
            "region": list(channels["region"]),
            **{axis: channels[axis].to_numpy(float) for axis in "xyz"},
            "onset_recorded_s": pd.to_numeric(channels["onset_s"]).to_numpy(float),
            "onset_surface_s": surface[0],
            "p_surface": surface[1],
            "onset_region_s": region[0],
            "p_region": region[1],
            "onset_simulated_s": simulated[0],
            "p_simulated": simulated[1],
        }
    )


def rows_of(gain: pd.DataFrame, names: Sequence[str]) -> Array:
    """Return rows of a gain table by channel, each scaled to sum to one."""
    return unit_rows(gain.loc[list(names)].to_numpy(dtype=np.float64))
