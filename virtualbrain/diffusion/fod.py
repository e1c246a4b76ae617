"""Estimate fibre orientation distributions (FODs) from a corrected diffusion series."""

import logging
from pathlib import Path
from typing import Any

from virtualbrain.diffusion import mrtrix
from virtualbrain.diffusion.series import read_mif
from virtualbrain.io.atomic import atomic_path

logger = logging.getLogger(__name__)


def estimate_fod(
    dwi: Path, fod: Path, workdir: Path, threads: int, order: int = 0
) -> dict[str, Any]:
    """Estimate the FODs of white matter.

    The response functions are estimated from the data (dhollander). Two or more shells allow
    three tissues; one shell with b = 0 volumes allows two (white matter and fluid). mtnormalise
    makes the FODs comparable between patients.

    Parameters
    ----------
    dwi : Path
        Corrected series (MRtrix image).
    fod : Path
        Output: FODs.
    workdir : Path
        Folder for temporary files.
    threads : int
        Number of cores; the result does not depend on it.
    order : int
        Largest harmonic order of the FODs; 0: MRtrix's default.

    Returns
    -------
    dict
        Quality figures: tissues, shells.

    Raises
    ------
    ToolError
        MRtrix3 is missing or failed.
    """
    workdir.mkdir(parents=True, exist_ok=True)
    series = read_mif(dwi, workdir)
    mask = workdir / "mask.mif"
    mrtrix.run("dwi2mask", dwi, mask, "-force", threads=threads)
    tissues = ("wm", "gm", "csf")
    responses = {tissue: workdir / f"response-{tissue}.txt" for tissue in tissues}
    logger.info("response functions (dhollander)")
    mrtrix.run(
        "dwi2response", "dhollander", dwi, *responses.values(), "-mask", mask, "-force",
        "-scratch", workdir, threads=1,
    )  # fmt: skip
    for path in responses.values():
        round_numbers(path)
    n_shells = len([b for b in series.table.shells() if b > 0])
    used = tissues if n_shells > 1 else ("wm", "csf")
    raw = {tissue: workdir / f"fod-{tissue}.mif" for tissue in used}
    logger.info("FODs of %s from %d shell(s)", ", ".join(used), n_shells)
    pairs = [item for tissue in used for item in (responses[tissue], raw[tissue])]
    orders = ["-lmax", ",".join([str(order), *("0" for _ in used[1:])])] if order else []
    mrtrix.run(
        "dwi2fod", "msmt_csd", dwi, *pairs, "-mask", mask, *orders, "-force", threads=threads
    )
    normalised = {tissue: workdir / f"normalised-{tissue}.mif" for tissue in used}
    pairs = [item for tissue in used for item in (raw[tissue], normalised[tissue])]
    mrtrix.run("mtnormalise", *pairs, "-mask", mask, "-force", threads=1)
    with atomic_path(fod) as temporary:
        mrtrix.convert(normalised["wm"], temporary)
    return {"tissues": list(used), "n_shells": n_shells}


def round_numbers(path: Path, digits: int = 9) -> None:
    """Round the numbers of a text file; comments stay.

    The last digits of dwi2response differ between runs of the same data, even with one thread.
    """
    lines = (
        line
        if line.startswith("#")
        else " ".join(f"{float(number):.{digits}g}" for number in line.split())
        for line in path.read_text(encoding="utf-8").splitlines()
    )
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
