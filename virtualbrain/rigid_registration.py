"""Register images rigidly with ANTs, in worker processes of one thread each.

The sums of ITK depend on the number of threads. With one thread per worker the results are the
same on any number of cores.
"""

import importlib
import os
import tempfile
import threading
import time
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from joblib.externals.loky import ProcessPoolExecutor

Array = NDArray[np.float64]
Volume = NDArray[np.float32]
_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
THREADS_VARIABLE = "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS"


@dataclass(frozen=True)
class RegistrationTask:
    """Two volumes to register, and how.

    Parameters
    ----------
    fixed, moving : numpy.ndarray, shape (nx, ny, nz)
        Intensities.
    fixed_affine, moving_affine : numpy.ndarray, shape (4, 4)
        Voxel to scanner RAS, mm.
    fixed_mask : numpy.ndarray, optional
        Voxels that the metric uses.
    from_centres : bool
        Start with aligned centres of mass instead of the given affines.
    shrink, iterations : tuple of int
        Shrink factor and largest number of iterations of each resolution level.
    sampling : float
        Fraction of the voxels that the metric uses, in a fixed pattern.
    """

    fixed: Volume
    moving: Volume
    fixed_affine: Array
    moving_affine: Array
    fixed_mask: NDArray[np.bool_] | None = None
    from_centres: bool = False
    shrink: tuple[int, ...] = (4, 2)
    iterations: tuple[int, ...] = (50, 100)
    sampling: float = 0.25


def itk_workers(workers: int, threads: int = 1) -> "ProcessPoolExecutor":
    """Return a pool of processes in which ITK and OpenMP use so many threads, to use in `with`.

    A script that uses it needs no guard for its main module. The processes end with this one.
    """
    from joblib.externals.loky import ProcessPoolExecutor  # slow to import

    names = (THREADS_VARIABLE, "OMP_NUM_THREADS")
    return ProcessPoolExecutor(
        max_workers=max(1, workers),
        initializer=_end_with,
        initargs=(os.getpid(),),
        env=dict.fromkeys(names, str(threads)),
    )


def _end_with(parent: int) -> None:
    """End this worker when its parent has ended, killed or not."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def register_all(tasks: Iterable[RegistrationTask], workers: int) -> list[Array]:
    """Return the result of `register_rigid` for every task, computed in worker processes."""
    with itk_workers(workers) as pool:
        return list(pool.map(register_rigid, tasks))


def register_rigid(task: RegistrationTask) -> Array:
    """Return the rigid transform from points of the fixed to points of the moving image.

    Returns
    -------
    numpy.ndarray, shape (4, 4)
        Scanner RAS, mm. The moving image, sampled at the transformed points, is aligned with the
        fixed image.
    """
    ants = import_ants()
    fixed = volume_to_ants(task.fixed, task.fixed_affine)
    moving = volume_to_ants(task.moving, task.moving_affine)
    mask = None
    if task.fixed_mask is not None:
        mask = volume_to_ants(task.fixed_mask.astype(np.float32), task.fixed_affine)
    with tempfile.TemporaryDirectory() as folder:
        start = None if task.from_centres else "Identity"
        found = ants.registration(
            fixed=fixed,
            moving=moving,
            type_of_transform="Rigid",
            initial_transform=start,
            outprefix=str(Path(folder) / "r"),
            mask=mask,
            aff_metric="mattes",
            aff_random_sampling_rate=task.sampling,
            aff_iterations=task.iterations,
            aff_shrink_factors=task.shrink,
            aff_smoothing_sigmas=tuple(factor // 4 for factor in task.shrink),
            random_seed=1,
        )
        return read_itk_matrix(Path(found["fwdtransforms"][0]))


def import_ants() -> Any:
    """Import ANTs without its warnings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module("ants")


def volume_to_ants(values: NDArray[np.float32], affine: Array) -> Any:
    """Convert a volume with an affine to scanner RAS to an ANTs image."""
    ants = import_ants()
    lps = _LPS @ affine
    sizes = np.linalg.norm(lps[:3, :3], axis=0)
    return ants.from_numpy(
        np.ascontiguousarray(values, dtype=np.float32),
        origin=tuple(lps[:3, 3]),
        spacing=tuple(sizes),
        direction=lps[:3, :3] / sizes,
    )


def read_itk_matrix(path: Path) -> Array:
    """Read a linear ITK transform as a matrix in scanner RAS (fixed to moving points).

    A text file is read without ANTs, which takes seconds to import.
    """
    if path.suffix == ".txt":
        parameters, centre = _text_parameters(path)
    else:
        transform = import_ants().read_transform(str(path))
        parameters = np.asarray(transform.parameters, dtype=float)
        centre = np.asarray(transform.fixed_parameters, dtype=float)
    lps = np.eye(4)
    lps[:3, :3] = parameters[:9].reshape(3, 3)
    lps[:3, 3] = parameters[9:12] + centre - lps[:3, :3] @ centre
    return np.asarray(_LPS @ lps @ _LPS)


def _text_parameters(path: Path) -> tuple[Array, Array]:
    """Return the 12 parameters and the centre of an affine ITK transform in a text file."""
    lines = path.read_text(encoding="utf-8").splitlines()
    fields = dict(line.split(":", 1) for line in lines if ":" in line)
    parameters, centre = (
        np.array(fields[name].split(), dtype=float) for name in ("Parameters", "FixedParameters")
    )
    return parameters, centre


def write_itk_matrix(path: Path, matrix: Array) -> None:
    """Write a matrix in scanner RAS (fixed to moving points) as an ITK text transform."""
    lps = _LPS @ matrix @ _LPS
    numbers = " ".join(f"{value:.12g}" for value in [*lps[:3, :3].ravel(), *lps[:3, 3]])
    path.write_text(
        "#Insight Transform File V1.0\n#Transform 0\n"
        "Transform: AffineTransform_double_3_3\n"
        f"Parameters: {numbers}\nFixedParameters: 0 0 0\n",
        encoding="utf-8",
    )
