"""Generate streamlines with tckgen (iFOD2) and weight them with tcksift2.

The random numbers of MRtrix depend on the thread that draws them. Therefore tractography is
split into a fixed number of parts, each with its own seed and without threads. The parts run in
parallel and are concatenated in order, so the same seed gives the same streamlines on any number
of cores.
"""

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from virtualbrain.diffusion import mrtrix
from virtualbrain.diffusion.settings import DiffusionSettings
from virtualbrain.diffusion.split_half import split_half_agreement
from virtualbrain.errors import ConfigError, ToolError
from virtualbrain.io.atomic import atomic_path

Array = NDArray[np.float64]
Counter = Callable[[Path], Array]
"""Returns the streamline counts between all regions of one tck file."""
logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class TrackFiles:
    """Input and output files of `generate_tracks`.

    Parameters
    ----------
    fod : Path
        FODs.
    tissues : Path or None
        Five-tissue image in diffusion space.
    tracks, weights : Path
        Output: streamlines (tck) and their SIFT2 weights.
    workdir : Path
        Folder for temporary files.
    """

    fod: Path
    tissues: Path | None
    tracks: Path
    weights: Path
    workdir: Path


def generate_tracks(
    files: TrackFiles, settings: DiffusionSettings, threads: int, counts_of: Counter | None = None
) -> dict[str, Any]:
    """Generate streamlines and weight them so that their density fits the diffusion signal.

    Tracking ends early if the connectome repeats well enough (`settings.agreement`).

    Parameters
    ----------
    files : TrackFiles
        Input and output files.
    settings : DiffusionSettings
        Number of streamlines, seeding, limits, seed.
    threads : int
        Number of cores; the result does not depend on it.
    counts_of : callable, optional
        Returns the streamline counts of a tck file; without it, tracking does not end early.

    Returns
    -------
    dict
        Quality figures: streamlines, agreement of their halves, seeding, use of the tissue
        constraint, mu of SIFT2.

    Raises
    ------
    ConfigError
        The tissue constraint is required and there is no five-tissue image.
    ToolError
        MRtrix3 is missing or failed, or too few streamlines were found.
    """
    files.workdir.mkdir(parents=True, exist_ok=True)
    tissues = _tissue_constraint(files, settings)
    options = [*_seeding(files, settings, tissues), *_limits(settings, tissues)]
    used, agreement = _track(files, settings, options, threads, counts_of)
    with atomic_path(files.tracks) as temporary:
        mrtrix.run("tckedit", *used, temporary, "-force", threads=0)
    wanted = sum(_part_sizes(settings.streamlines, settings.parts)[: len(used)])
    for path in files.workdir.glob("part-*.tck"):
        path.unlink()
    n_tracks = count_tracks(files.tracks)
    if n_tracks < wanted:
        raise ToolError(
            f"tractography found only {n_tracks} of {wanted} streamlines",
            where=files.tracks.name,
            expected="the number in diffusion.streamlines",
            hint="inspect the alignment of T1 and diffusion series, or set "
            "diffusion.streamlines lower",
        )
    mu = weight_tracks(files, tissues)
    return {
        "streamlines": n_tracks,
        **({} if agreement is None else {"split_half_agreement": agreement}),
        "tissue_constraint": tissues is not None,
        "seeding": options[0],
        "sift2_mu": mu,
    }


def _track(
    files: TrackFiles,
    settings: DiffusionSettings,
    options: Sequence[object],
    threads: int,
    counts_of: Counter | None,
) -> tuple[list[Path], float | None]:
    """Track part after part until all are finished or two halves of them agree.

    Halves are compared after every second part. Parts that further cores tracked meanwhile are
    left out, so that the result does not depend on their number.
    """
    sizes = _part_sizes(settings.streamlines, settings.parts)
    paths = [files.workdir / f"part-{i}.tck" for i in range(len(sizes))]
    logger.info("tracking %d streamlines in %d parts", settings.streamlines, len(sizes))

    def track(i: int) -> None:
        """Generate one part with its own seed and without threads."""
        seed = {"MRTRIX_RNG_SEED": str(_part_seed(settings.seed, i))}
        mrtrix.run(
            "tckgen", files.fod, paths[i], "-select", sizes[i], *options, "-force",
            threads=0, environment=seed,
        )  # fmt: skip
        logger.info("part %d of %d is finished", i + 1, len(sizes))

    counts: list[Array] = []
    agreement = None
    at_once = 2 * ((threads + 1) // 2)
    with ThreadPoolExecutor(max_workers=max(1, threads)) as pool:
        for start in range(0, len(paths), at_once):
            wave = range(start, min(start + at_once, len(paths)))
            list(pool.map(track, wave))
            if counts_of is None:
                continue
            for i in wave:
                counts.append(counts_of(paths[i]))
                if i % 2 == 0:
                    continue
                agreement = split_half_agreement(counts)
                logger.info("agreement of the halves of %d parts: %.3f", i + 1, agreement)
                if 0 < settings.agreement <= agreement:
                    return paths[: i + 1], agreement
    return paths, agreement


def weight_tracks(files: TrackFiles, tissues: Path | None) -> float:
    """Write the SIFT2 weight of every streamline and return the proportionality coefficient mu.

    The sum of the weights times mu is a fibre cross-section in mm². One worker thread is used:
    with more, sums differ in their last digits; with ``-nthreads 0`` MRtrix 3.0.3 leaves every
    weight at 1.
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
    """Return the number of streamlines stated in the header of a tck file."""
    with tracks.open("rb") as stream:
        for line in stream:
            key, _, value = line.decode("latin-1").partition(":")
            if key == "count":
                return int(value)
            if key.strip() == "END":
                break
    raise ToolError(
        "the header does not state the number of streamlines",
        where=tracks.name,
        expected="a complete tck file",
        hint="run the stage again",
    )


def _tissue_constraint(files: TrackFiles, settings: DiffusionSettings) -> Path | None:
    """Return the five-tissue image for anatomically constrained tractography, or None."""
    if settings.act == "always" and files.tissues is None:
        raise ConfigError(
            "act is always, but there is no five-tissue image",
            where="configuration, diffusion.act",
            expected="a five-tissue image from the anatomy stage",
            hint="set diffusion.act to auto",
        )
    return None if settings.act == "never" else files.tissues


def _seeding(files: TrackFiles, settings: DiffusionSettings, tissues: Path | None) -> list[object]:
    """Return the options of tckgen for the seed points."""
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
    """Return the options of tckgen for propagation and termination."""
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


def _part_sizes(total: int, parts: int) -> list[int]:
    """Divide the streamlines into non-empty parts of nearly the same size."""
    edges = np.linspace(0, total, min(parts, total) + 1).astype(int)
    return [int(n) for n in np.diff(edges)]


def _part_seed(seed: int, part: int) -> int:
    """Return the seed of one part; it is the same on every machine."""
    return int(np.random.SeedSequence([seed, part]).generate_state(1)[0] % 2**31)
