"""Streamlines and their weights: tckgen (iFOD2) and tcksift2.

MRtrix's random numbers depend on the thread they are drawn in, and threads share work out as
it comes. So the tractography is made in a fixed number of pieces, each with a seed of its own
and no threads; the pieces run side by side and are joined in order. The same seed gives the
same streamlines on one core as on eight.
"""

import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from virtualbrain.diffusion import mrtrix
from virtualbrain.diffusion.settings import DiffusionSettings
from virtualbrain.errors import ConfigError, ToolError
from virtualbrain.io.atomic import atomic_path

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrackFiles:
    """Files that `generate_tracks` reads and writes.

    Parameters
    ----------
    fod : Path
        Orientation distributions.
    tissues : Path or None
        Five-tissue image in diffusion space.
    tracks, weights : Path
        To be written: streamlines (tck), and one SIFT2 weight each.
    workdir : Path
        Folder for files that are not kept.
    """

    fod: Path
    tissues: Path | None
    tracks: Path
    weights: Path
    workdir: Path


def generate_tracks(files: TrackFiles, settings: DiffusionSettings, threads: int) -> dict[str, Any]:
    """Track streamlines and weight them so that their density fits the diffusion signal.

    Parameters
    ----------
    files : TrackFiles
        What to read and write.
    settings : DiffusionSettings
        Number, seeding, limits, seed.
    threads : int
        Cores to use; the result does not depend on it.

    Returns
    -------
    dict
        Quality: streamlines, seeding, whether tissues constrained them, SIFT2's mu.

    Raises
    ------
    ConfigError
        The tissue constraint is asked for and no tissues are known.
    ToolError
        MRtrix3 is missing or failed, or fewer streamlines were found than asked for.
    """
    files.workdir.mkdir(parents=True, exist_ok=True)
    tissues = _constraint(files, settings)
    options = [*_seeding(files, settings, tissues), *_limits(settings, tissues)]
    pieces = _shares(settings.streamlines, settings.parts)
    logger.info("tracking %d streamlines in %d pieces", settings.streamlines, len(pieces))
    paths = [files.workdir / f"piece-{i}.tck" for i in range(len(pieces))]

    def track(i: int) -> None:
        """Make one piece with a seed of its own and without threads."""
        seed = {"MRTRIX_RNG_SEED": str(_seed_of(settings.seed, i))}
        mrtrix.run(
            "tckgen", files.fod, paths[i], "-select", pieces[i], *options, "-force",
            threads=0, environment=seed,
        )  # fmt: skip
        logger.info("piece %d of %d is there", i + 1, len(pieces))

    with ThreadPoolExecutor(max_workers=max(1, threads)) as pool:
        list(pool.map(track, range(len(pieces))))
    with atomic_path(files.tracks) as temporary:
        mrtrix.run("tckedit", *paths, temporary, "-force", threads=0)
    for path in paths:
        path.unlink()
    n_tracks = count_tracks(files.tracks)
    if n_tracks < settings.streamlines:
        raise ToolError(
            f"{n_tracks} of {settings.streamlines} streamlines were found",
            where=files.tracks.name,
            expected="as many as asked for",
            hint="check the alignment of T1 and diffusion, or ask for fewer streamlines",
        )
    mu = weight_tracks(files, tissues)
    return {
        "streamlines": n_tracks,
        "tissue_constraint": tissues is not None,
        "seeding": options[0],
        "sift2_mu": mu,
    }


def weight_tracks(files: TrackFiles, tissues: Path | None) -> float:
    """Write the SIFT2 weight of every streamline and return the proportionality mu.

    The sum of weights times mu is a fibre cross-section in mm². One worker thread: sums taken
    in another order differ in their last digits, and with threads switched off altogether
    (``-nthreads 0``) MRtrix 3.0.3 leaves every weight at one.
    """
    logger.info("weighting the streamlines (SIFT2)")
    mu = files.workdir / "mu.txt"
    act = [] if tissues is None else ["-act", tissues]
    with atomic_path(files.weights) as temporary:
        mrtrix.run(
            "tcksift2", files.tracks, files.fod, temporary, *act, "-out_mu", mu, "-force", threads=1
        )
    return float(mu.read_text())


def count_tracks(tracks: Path) -> int:
    """Return the number of streamlines that a tck file states in its header."""
    with tracks.open("rb") as stream:
        for line in stream:
            key, _, value = line.decode("latin-1").partition(":")
            if key == "count":
                return int(value)
            if key.strip() == "END":
                break
    raise ToolError("no count in the header", where=tracks.name, expected="a finished tck file")


def _constraint(files: TrackFiles, settings: DiffusionSettings) -> Path | None:
    """Return the tissues to track with, or None."""
    if settings.act == "always" and files.tissues is None:
        raise ConfigError(
            "act: always, but there is no five-tissue image",
            where="configuration, diffusion",
            expected="act: auto, or an anatomy with tissues",
        )
    return None if settings.act == "never" else files.tissues


def _seeding(files: TrackFiles, settings: DiffusionSettings, tissues: Path | None) -> list[object]:
    """Return tckgen's options on where streamlines start."""
    if settings.seeding == "dynamic":
        return ["-seed_dynamic", files.fod]
    if settings.seeding == "gmwmi" and tissues is not None:
        interface = files.workdir / "gmwmi.mif"
        mrtrix.run("5tt2gmwmi", tissues, interface, "-force", threads=1)
        return ["-seed_gmwmi", interface]
    mask = files.workdir / "seeds.mif"
    if tissues is not None:
        white = files.workdir / "white.mif"
        mrtrix.convert(tissues, white, "-coord", 3, 2, "-axes", "0,1,2")
        mrtrix.run("mrthreshold", white, mask, "-abs", 0.5, "-force", threads=1)
    else:
        mean = files.workdir / "fod-mean.mif"
        mrtrix.convert(files.fod, mean, "-coord", 3, 0, "-axes", "0,1,2")
        mrtrix.run("mrthreshold", mean, mask, "-force", threads=1)
    return ["-seed_image", mask]


def _limits(settings: DiffusionSettings, tissues: Path | None) -> list[object]:
    """Return tckgen's options on where streamlines go and end."""
    options: list[object] = ["-minlength", settings.min_length_mm]
    options += ["-maxlength", settings.max_length_mm]
    if tissues is not None:
        options += ["-act", tissues, "-backtrack", "-crop_at_gmwmi"]
    for flag, value in (
        ("-step", settings.step_mm),
        ("-angle", settings.angle_deg),
        ("-cutoff", settings.cutoff),
    ):
        if value > 0:
            options += [flag, value]
    return options


def _shares(total: int, parts: int) -> list[int]:
    """Share out streamlines over pieces of nearly the same size, none empty."""
    edges = np.linspace(0, total, min(parts, total) + 1).astype(int)
    return [int(n) for n in np.diff(edges)]


def _seed_of(seed: int, piece: int) -> int:
    """Return the seed of one piece: far apart, and the same on every machine."""
    return int(np.random.SeedSequence([seed, piece]).generate_state(1)[0] % 2**31)
