"""Compute a FreeSurfer subject from a T1 with recon-all or FastSurfer."""

import logging
import os
import shutil
import subprocess
from pathlib import Path

from virtualbrain.anatomy.settings import AnatomySettings, Reconstruction
from virtualbrain.errors import ToolError
from virtualbrain.io.freesurfer import LABEL_FILES

logger = logging.getLogger(__name__)
_PROGRAMS: dict[Reconstruction, str] = {"recon-all": "recon-all", "fastsurfer": "run_fastsurfer.sh"}


def reconstruction_obstacle(settings: AnatomySettings) -> ToolError | None:
    """Return why the configured program cannot be started; None if it can or none is configured."""
    if settings.reconstruct == "none":
        return None
    program = _PROGRAMS[settings.reconstruct]
    variable = "FREESURFER_HOME" if settings.reconstruct == "recon-all" else "FASTSURFER_HOME"
    if not os.environ.get(variable):
        missing = f"{variable} is not set"
    elif _program(program, variable) is None:
        missing = f"{program} is not installed"
    else:
        return None
    return ToolError(
        f"{settings.reconstruct} cannot run: {missing}",
        where="configuration, anatomy.reconstruct",
        expected=f"{program} on the PATH or in {variable}, with a licence",
        hint="install it, or set anatomy.reconstruct to none for the built-in parcellation",
    )


def _program(name: str, variable: str) -> str | None:
    home = os.environ.get(variable, "")
    places = (os.environ.get("PATH", ""), home, str(Path(home) / "bin"))
    return shutil.which(name, path=os.pathsep.join(places))


def reconstruct(t1: Path, subject: Path, settings: AnatomySettings, threads: int) -> Path:
    """Run recon-all or FastSurfer on a T1; reuse a finished subject of an earlier run.

    Parameters
    ----------
    t1 : Path
        The T1 image.
    subject : Path
        The subject's folder, to be created inside the subjects directory.
    settings : AnatomySettings
        States the program.
    threads : int
        Number of cores.

    Returns
    -------
    Path
        `subject`.

    Raises
    ------
    ToolError
        The program is not installed, failed, or wrote no label image.
    """
    if _is_finished(subject):
        logger.info("using the finished subject %s", subject.name)
        return subject
    obstacle = reconstruction_obstacle(settings)
    if obstacle is not None:
        raise obstacle
    shutil.rmtree(subject, ignore_errors=True)
    subject.parent.mkdir(parents=True, exist_ok=True)
    command = _command(t1, subject, settings.reconstruct, threads)
    logger.info("running %s (takes some hours)", " ".join(command))
    ended = subprocess.run(
        command, capture_output=True, text=True, errors="replace", check=False,
        stdin=subprocess.DEVNULL, env={**os.environ, "SUBJECTS_DIR": str(subject.parent)},
    )  # fmt: skip
    if ended.returncode or not _is_finished(subject):
        output = (ended.stderr or ended.stdout).strip().splitlines()
        logger.error("%s", "\n".join(output[-50:]))
        incomplete = f"exit status {ended.returncode}, label image or pial surfaces missing"
        reason = output[-1] if output else incomplete
        raise ToolError(
            f"{settings.reconstruct} failed ({reason})",
            where=subject.name,
            hint=f"read the logs in {subject}/scripts, or set anatomy.reconstruct to none",
        )
    return subject


def _command(t1: Path, subject: Path, kind: Reconstruction, threads: int) -> list[str]:
    """Return the command line for a complete run, as in the manual of the program."""
    folder, name = str(subject.parent), subject.name
    if kind == "recon-all":
        program = str(_program("recon-all", "FREESURFER_HOME"))
        return [program, "-all", "-i", str(t1), "-s", name, "-sd", folder,
                "-parallel", "-openmp", str(threads)]  # fmt: skip
    program = str(_program("run_fastsurfer.sh", "FASTSURFER_HOME"))
    return [program, "--t1", str(t1), "--sid", name, "--sd", folder, "--threads", str(threads)]


def _is_finished(subject: Path) -> bool:
    """Whether a subject has a label image and both pial surfaces."""
    has_labels = any((subject / "mri" / name).is_file() for name in LABEL_FILES["DesikanKilliany"])
    return has_labels and all((subject / "surf" / f"{side}.pial").exists() for side in ("lh", "rh"))
