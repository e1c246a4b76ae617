"""Draw static images as PNG: brain views, slices, matrices, envelopes, signals, chains.

The report shows them in print and in browsers without JavaScript or WebGL.
"""

import base64
import io
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.figure import Figure
from nibabel.affines import voxel_sizes
from nibabel.spatialimages import SpatialImage
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import distance_transform_edt

from virtualbrain.io.anatomy import Surface
from virtualbrain.io.images import in_labels, label_voxels
from virtualbrain.report.colours import GREY, VIRIDIS, ColourScale

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
INK = "#1c2733"
COLOURS = 96
ROW_FILL = 0.62
OUTLINE = "#ff4fd8"
SLICE_HEIGHT = 300
# The outline of a plan closes gaps between its regions of at most this width.
GAP_MM = 8.0


@dataclass(frozen=True)
class View:
    """A direction of view: axes of the picture, the hemisphere shown, letters at its edges."""

    right: tuple[int, int, int]
    up: tuple[int, int, int]
    towards: tuple[int, int, int]
    letters: tuple[str, str]
    hemisphere: str = ""


VIEWS = {
    "left": View((0, -1, 0), (0, 0, 1), (-1, 0, 0), ("L", ""), "L"),
    "right": View((0, 1, 0), (0, 0, 1), (1, 0, 0), ("", "R"), "R"),
    "left, medial": View((0, 1, 0), (0, 0, 1), (1, 0, 0), ("L", ""), "L"),
    "right, medial": View((0, -1, 0), (0, 0, 1), (-1, 0, 0), ("", "R"), "R"),
    "top": View((1, 0, 0), (0, 1, 0), (0, 0, 1), ("L", "R")),
    "bottom": View((-1, 0, 0), (0, 1, 0), (0, 0, -1), ("R", "L")),
    "front": View((-1, 0, 0), (0, 0, 1), (0, 1, 0), ("R", "L")),
}


@dataclass(frozen=True)
class StaticImage:
    """A PNG as data URL, with its size in pixels and its description."""

    source: str
    width: int
    height: int
    alt: str


@dataclass(frozen=True)
class SliceImage:
    """An axial slice, its left side on the left, at height `z_mm`."""

    image: StaticImage
    z_mm: float


def _new_figure(width: float, height: float) -> Figure:
    figure = Figure(figsize=(width / 100, height / 100), dpi=100)
    FigureCanvasAgg(figure)
    return figure


def _image_of(figure: Figure, alt: str, colours: int = COLOURS) -> StaticImage:
    """Return the figure as a PNG of few colours; the same figure gives the same bytes."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # type: ignore[no-untyped-call]
    pixels = np.asarray(canvas.buffer_rgba())[..., :3]  # type: ignore[no-untyped-call]
    return _png(Image.fromarray(np.ascontiguousarray(pixels)), alt, colours)


def _png(image: Image.Image, alt: str, colours: int = COLOURS) -> StaticImage:
    if colours:
        image = image.quantize(colours, method=Image.Quantize.MEDIANCUT, dither=0)  # type: ignore[arg-type]
    stream = io.BytesIO()
    image.save(stream, format="PNG")
    encoded = base64.b64encode(stream.getvalue()).decode("ascii")
    return StaticImage(f"data:image/png;base64,{encoded}", *image.size, alt)


def stage_image(content: bytes, alt: str) -> StaticImage:
    """Return an image file of a stage as a PNG of few colours."""
    with Image.open(io.BytesIO(content)) as opened:
        return _png(opened.convert("RGB"), alt)


def brain_views(
    surfaces: Mapping[str, Surface],
    values: Mapping[int, float],
    scale: ColourScale,
    contacts: pd.DataFrame | None,
    alt: str,
    views: Sequence[str] = tuple(VIEWS),
    size: int = 300,
    columns: int = 4,
) -> StaticImage | None:
    """Return views of the cortex: regions coloured by a value, contacts on top.

    Bold letters mark the patient's left and right.

    Parameters
    ----------
    surfaces : mapping
        Hemisphere to surface.
    values : mapping
        Index of a region to its value; regions without one are grey.
    scale : ColourScale
        Colour of a value.
    contacts : DataFrame or None
        Columns x, y, z, in mm.
    alt : str
        Description of the image.
    views : sequence of str
        Keys of `VIEWS`.
    size : int
        Width of a view in pixels.
    columns : int
        Views in a row.
    """
    if not surfaces:
        return None
    columns = min(columns, len(views))
    n_rows = -(-len(views) // columns)
    figure = _new_figure(size * columns, size * 0.82 * n_rows)
    for number, name in enumerate(views):
        row, column = divmod(number, columns)
        bottom = (n_rows - 1 - row + 0.02) / n_rows
        axes = figure.add_axes((column / columns, bottom, 1 / columns, 0.85 / n_rows))
        view = VIEWS[name]
        own = {h: s for h, s in surfaces.items() if view.hemisphere in ("", h)}
        _draw_cortex(axes, own or surfaces, view, values, scale)
        _draw_contacts(axes, contacts, view)
        axes.set_title(name, fontsize=9, color=INK, y=0.97)
        for letter, x in zip(view.letters, (0.04, 0.96), strict=True):
            axes.text(x, 0.9, letter, transform=axes.transAxes, ha="center", va="center",
                      fontsize=13, fontweight="bold", color=INK)  # fmt: skip
    return _image_of(figure, alt)


def _axes_of(view: View) -> tuple[Array, Array, Array]:
    right, up, towards = (np.array(a, dtype=float) for a in (view.right, view.up, view.towards))
    return right, up, towards


def _draw_cortex(
    axes: mpl.axes.Axes,
    surfaces: Mapping[str, Surface],
    view: View,
    values: Mapping[int, float],
    scale: ColourScale,
) -> None:
    """Draw triangles from back to front, shaded by their orientation."""
    right, up, towards = _axes_of(view)
    corners = np.concatenate([s.vertices[s.triangles] for s in surfaces.values()])
    labels = np.concatenate([s.regions[s.triangles[:, 0]] for s in surfaces.values()])
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True) + 1e-12
    shade = 0.45 + 0.55 * np.abs(normals @ towards)
    order = np.argsort(corners.mean(axis=1) @ towards)
    colours = np.clip(_colours(labels, values, scale) * shade[:, None], 0, 1)[order]
    flat = np.stack([corners @ right, corners @ up], axis=-1)[order]
    # One array, not a list: a list is checked triangle by triangle, which takes most of a report.
    triangles = PolyCollection(
        flat,  # type: ignore[arg-type]
        facecolors=colours, edgecolors=colours, linewidths=0.25,
    )  # fmt: skip
    axes.add_collection(triangles, autolim=False)
    spread = flat.reshape(-1, 2)
    axes.set_xlim(spread[:, 0].min() - 4, spread[:, 0].max() + 4)
    axes.set_ylim(spread[:, 1].min() - 4, spread[:, 1].max() + 4)
    axes.set_aspect("equal")
    axes.set_axis_off()


def _colours(labels: NDArray[np.integer], values: Mapping[int, float], scale: ColourScale) -> Array:
    table = np.tile(np.array(GREY), (int(labels.max(initial=0)) + 1, 1))
    for label, value in values.items():
        if 0 < label < len(table):
            table[label] = scale(value)
    colours: Array = table[labels]
    return colours


def _draw_contacts(axes: mpl.axes.Axes, contacts: pd.DataFrame | None, view: View) -> None:
    if contacts is None or contacts.empty:
        return
    right, up, _ = _axes_of(view)
    points = contacts[["x", "y", "z"]].to_numpy(dtype=float)
    points = points[np.isfinite(points).all(axis=1)]
    if view.hemisphere:
        side = -1.0 if view.hemisphere == "L" else 1.0
        points = points[side * points[:, 0] > -5]
    axes.plot(points @ right, points @ up, "o", ms=2.6, mfc="white", mec=INK, mew=0.6)


def slices(
    t1: SpatialImage,
    labels: SpatialImage | None,
    values: Mapping[int, float],
    scale: ColourScale,
    contacts: pd.DataFrame | None,
    alt: str,
    planned: Collection[int] = (),
    n_slices: int = 6,
) -> tuple[SliceImage, ...]:
    """Return axial slices of the T1 with coloured regions, and the contacts within 3 mm.

    Both images must be on the same grid, with axes near R, A, S. The page writes the letters L and
    R beside the slices, so that it can mirror them.

    Parameters
    ----------
    t1, labels : nibabel image
        The head, and the regions if known.
    values : mapping
        Index of a region to its value.
    scale : ColourScale
        Colour of a value.
    contacts : DataFrame or None
        Columns x, y, z, in mm.
    alt : str
        Description of the images.
    planned : collection of int
        Indices of the regions of a plan; they are outlined with the tissue between them (see
        `with_gaps`), and the slices go through them.
    n_slices : int
        Number of slices.
    """
    head = np.asarray(t1.dataobj, dtype=np.float32)
    overlay = None if labels is None else label_voxels(labels)
    inside = head > 0.1 * head.max() if overlay is None else overlay > 0
    resected = np.zeros(head.shape, bool) if overlay is None else in_labels(overlay, planned)
    outlined = resected
    if overlay is not None and resected.any():
        outlined = with_gaps(resected, overlay == 0, t1.affine)
    shown = resected if resected.any() else inside
    used = np.flatnonzero(shown.any(axis=(0, 1)))
    chosen = np.unique(np.linspace(used[0], used[-1], n_slices + 2)[1:-1].astype(int))
    top = float(np.quantile(head[inside], 0.998)) if inside.any() else float(head.max())
    found = []
    for k in chosen:
        figure = _new_figure(SLICE_HEIGHT * head.shape[0] / head.shape[1], SLICE_HEIGHT)
        axes = figure.add_axes((0, 0, 1, 1))
        axes.imshow(
            head[:, :, k].T, cmap="gray", origin="lower", interpolation="bilinear", vmax=top
        )
        if overlay is not None:
            axes.imshow(_tint(overlay[:, :, k], values, scale), origin="lower")
        if outlined[:, :, k].any():
            axes.contour(outlined[:, :, k].T, levels=[0.5], colors=OUTLINE, linewidths=1.4)
        _contacts_on_slice(axes, contacts, t1.affine, int(k))
        axes.set_axis_off()
        axes.set_xlim(-0.5, head.shape[0] - 0.5)
        axes.set_ylim(-0.5, head.shape[1] - 0.5)
        z_mm = float((t1.affine @ [*(np.array(head.shape[:2]) / 2), k, 1.0])[2])
        found.append(SliceImage(_image_of(figure, f"{alt}, z = {z_mm:.0f} mm", 128), z_mm))
    return tuple(found)


def with_gaps(resected: Mask, free: Mask, affine: Array, gap_mm: float = GAP_MM) -> Mask:
    """Return resected regions with the white matter and the sulci between them.

    The regions are closed with a ball of half the gap (dilated, then eroded).

    Parameters
    ----------
    resected : numpy.ndarray of bool, shape (n_x, n_y, n_z)
        Voxels of the regions; at least one.
    free : numpy.ndarray of bool, shape (n_x, n_y, n_z)
        Voxels that may be added: those of no region.
    affine : numpy.ndarray, shape (4, 4)
        Of the image, mm.
    gap_mm : float
        Largest width of a gap that is closed.
    """
    sizes, radius = voxel_sizes(affine), gap_mm / 2
    places = np.argwhere(resected)
    box = tuple(
        slice(low, high + 1)
        for low, high in zip(places.min(axis=0), places.max(axis=0), strict=True)
    )
    margin = [(n, n) for n in np.ceil(radius / sizes).astype(int) + 2]
    near = distance_transform_edt(~np.pad(resected[box], margin), sampling=sizes) <= radius
    closed = distance_transform_edt(near, sampling=sizes) > radius
    inner = tuple(slice(n, -n) for n, _ in margin)
    filled = resected.copy()
    filled[box] |= closed[inner] & free[box]
    return filled


def _tint(labels: NDArray[np.integer], values: Mapping[int, float], scale: ColourScale) -> Array:
    """Return the colours of one slice; high values are less transparent."""
    cover = np.zeros(int(labels.max(initial=0)) + 1)
    for label, value in values.items():
        if 0 < label < len(cover) and np.isfinite(value):
            cover[label] = (0.3 + 0.4 * scale.fraction(value)) * scale.strength(value)
    rgb = _colours(labels, values, scale)
    tinted: Array = np.concatenate([rgb, cover[labels][..., None]], axis=-1).transpose(1, 0, 2)
    return tinted


def _contacts_on_slice(
    axes: mpl.axes.Axes, contacts: pd.DataFrame | None, affine: Array, k: int
) -> None:
    if contacts is None or contacts.empty:
        return
    points = contacts[["x", "y", "z"]].to_numpy(dtype=float)
    points = points[np.isfinite(points).all(axis=1)]
    voxels = np.c_[points, np.ones(len(points))] @ np.linalg.inv(affine).T
    near = np.abs(voxels[:, 2] - k) * np.linalg.norm(affine[:3, 2]) <= 3
    axes.plot(voxels[near, 0], voxels[near, 1], "o", ms=3, mfc="white", mec="black", mew=0.6)


def matrix(weights: Array, alt: str) -> StaticImage:
    """Return a matrix with one pixel per cell, on a logarithmic scale; empty cells are white."""
    present = weights > 0
    scaled = np.zeros_like(weights)
    if present.any():
        logs = np.log10(weights[present])
        low, high = np.quantile(logs, (0.02, 0.995))
        scaled[present] = np.clip((logs - low) / ((high - low) or 1.0), 0, 1)
    pixels = VIRIDIS(scaled)[..., :3]
    pixels[~present] = 1.0
    return _png(Image.fromarray((pixels * 255).round().astype(np.uint8)), alt, 0)


def raster(
    values: Array, row_height: int, width: int, limits: tuple[float, float], alt: str
) -> StaticImage:
    """Return values as colours (viridis), one row per channel, one column per time."""
    low, high = limits
    scaled = np.clip((values - low) / ((high - low) or 1.0), 0, 1)
    pixels = (VIRIDIS(scaled)[..., :3] * 255).round().astype(np.uint8)
    size = (width, row_height * len(values))
    return _png(Image.fromarray(pixels).resize(size, Image.Resampling.NEAREST), alt)


def amplitude_of(signal: Array) -> float:
    """Return the amplitude that fills `ROW_FILL` of a row: the 98.5 % quantile of all channels."""
    centred = signal - np.nanmedian(signal, axis=0)
    return float(np.nanquantile(np.abs(centred), 0.985)) or 1.0


def traces(
    signal: Array,
    times: Array,
    row_height: int,
    width: int,
    alt: str,
    amplitude: float,
    bad: Sequence[bool] = (),
    onsets: Sequence[float] = (),
) -> StaticImage:
    """Return signals as lines, one row per channel, all on one scale.

    Bad channels are grey. A short orange line marks the onset of a channel.

    Parameters
    ----------
    signal : numpy.ndarray, shape (n_times, n_channels)
        The recording.
    times : numpy.ndarray, shape (n_times,)
        Seconds from the marked onset.
    amplitude : float
        See `amplitude_of`.
    bad : sequence of bool
        True for bad channels.
    onsets : sequence of float
        Onset of each channel in seconds; NaN without one.
    """
    n_channels = signal.shape[1]
    figure = _new_figure(width, row_height * n_channels)
    axes = figure.add_axes((0, 0, 1, 1))
    step = max(1, len(times) // (3 * width))
    centred = signal[::step] - np.nanmedian(signal, axis=0)
    rows = n_channels - 0.5 - np.arange(n_channels)
    heights = np.clip(centred / amplitude, -1.6, 1.6) * ROW_FILL + rows
    lines = [np.column_stack([times[::step], heights[:, i]]) for i in range(n_channels)]
    faint = list(bad) or [False] * n_channels
    axes.add_collection(
        LineCollection(lines, linewidths=0.6, colors=["#b4b9be" if f else INK for f in faint])
    )
    for onset, row in zip(onsets, rows, strict=False):
        if np.isfinite(onset):
            axes.plot([onset, onset], [row - 0.5, row + 0.5], color="#d9480f", lw=2.6, zorder=3)
    axes.set_xlim(times[0], times[-1])
    axes.set_ylim(0, n_channels)
    axes.set_axis_off()
    return _image_of(figure, alt, 32)


def chain_traces(draws: Mapping[str, Array], alt: str) -> StaticImage:
    """Return traces and rank histograms of parameters, one colour per chain.

    Parameters
    ----------
    draws : mapping
        Name to draws, shape (n_chains, n_draws).
    """
    figure = _new_figure(900, 120 * len(draws) + 20)
    grid = figure.subplots(len(draws), 2, squeeze=False, width_ratios=(3, 1.3))
    shades = mpl.colormaps["cividis"](np.linspace(0.05, 0.9, max(len(d) for d in draws.values())))
    for row, (name, values) in zip(grid, draws.items(), strict=True):
        ranks = values.ravel().argsort().argsort().reshape(values.shape)
        for chain, shade in zip(range(len(values)), shades, strict=False):
            row[0].plot(values[chain], lw=0.5, color=shade)
            row[1].hist(ranks[chain], bins=20, histtype="step", color=shade, lw=1)
        row[0].set_ylabel(name, fontsize=8, parse_math=False)
        for axes in row:
            axes.tick_params(labelsize=7)
            axes.spines[["top", "right"]].set_visible(False)
        row[1].set_yticks([])
    grid[0][0].set_title("draws of each chain", fontsize=9)
    grid[0][1].set_title("ranks of each chain", fontsize=9)
    figure.subplots_adjust(left=0.13, right=0.99, top=1 - 30 / (120 * len(draws) + 20), bottom=0.05)
    return _image_of(figure, alt, 48)
