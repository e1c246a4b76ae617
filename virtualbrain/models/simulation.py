"""Simulate a network of Epileptors: one run, or an ensemble of runs."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from virtualbrain.errors import ModelError
from virtualbrain.io.atomic import atomic_path
from virtualbrain.models.epileptor import Model
from virtualbrain.models.parallel import members_within
from virtualbrain.models.simulation_plan import (
    DEFAULT_STEP,
    Members,
    Options,
    Plan,
    plan_simulation,
)
from virtualbrain.models.simulation_worker import Progress, run_members
from virtualbrain.models.stimulus import Stimulus
from virtualbrain.network import Network

__all__ = [
    "DEFAULT_STEP",
    "Options",
    "ensemble_chunks",
    "member_generators",
    "simulate",
    "simulate_ensemble",
]


def simulate(
    network: Network,
    model: Model,
    *,
    duration: float,
    dt: float | None = None,
    seed: int | np.random.Generator | None = None,
    initial: ArrayLike | Mapping[str, ArrayLike] | None = None,
    noise: Mapping[str, ArrayLike] | None = None,
    stimulus: Stimulus | None = None,
    present: ArrayLike | None = None,
    sample_rate: float | None = 256.0,
    options: Options | None = None,
    progress: Progress | None = None,
) -> xr.Dataset:
    r"""Simulate one network of Epileptors.

    Parameters
    ----------
    network : Network
        Normalised weights, and tract lengths.
    model : Epileptor, Epileptor2D, EpileptorRestingState or EpileptorStimulation
        Equations and parameters; arrays hold one value per region.
    duration : float
        Seconds of model activity.
    dt : float, optional
        Longest step in seconds; 0.05 units of model time by default (50 microseconds at tt = 1).
        The step is shortened so that a whole number of steps makes a sample.
    seed : int or numpy.random.Generator, optional
        Seed of the noise; required with noise.
    initial : array_like, shape (n_states, n_regions), or mapping of states, optional
        Initial states; by default the rest state of every region (`Epileptor.rest`). With delays
        they are also the past.
    noise : mapping of state to array_like, optional
        Intensity D of the noise of each state, a number or one per region:
        :math:`dx = f\,dt + \sqrt{2D}\,dW` in model time; ``nsig`` of The Virtual Brain.
    stimulus : Stimulus, optional
        Current that is added to the rest current of population 1.
    present : array_like, shape (n_regions,), optional
        Fraction of each region that remains, 0 to 1: connections become p_i C_ij p_j.
    sample_rate : float or None
        Samples per second; None keeps every step.
    options : Options, optional
        Integration method and quantities to keep.
    progress : callable, optional
        Called with the fraction done, 0 to 1.

    Returns
    -------
    xarray.Dataset
        Dims time (seconds) and region; `lfp` and the kept states (all by default). The attributes
        list the settings. The first sample is at the end of the first sampling interval.

    Raises
    ------
    ModelError
        Shapes do not match, the run needs more than the memory limit, or a step is unstable or
        diverges.
    """
    options = options or Options(keep=("lfp", *model.states))
    plan = plan_simulation(network, model, duration, dt, sample_rate, options)
    generators = None if noise is None else [_generator(seed)]
    members = Members(1, initial, present, generators, noise, stimulus)
    samples = run_members(plan, members, slice(0, 1), progress)
    return plan.dataset(samples[0], ("time", "region"), {"n_members": 1})


def simulate_ensemble(
    network: Network,
    model: Model,
    *,
    n_members: int,
    duration: float,
    output: Path | str | None = None,
    progress: Progress | None = None,
    **arguments: Any,
) -> xr.Dataset:
    """Simulate an ensemble of runs of one network.

    Members differ in the parameters of the model, `initial` or `present`, each of which may have a
    leading axis of members, and in their noise. The coupling of all members of a chunk is one
    matrix product per step. A member gives the same numbers as a single run with its generator
    from `member_generators`.

    Parameters
    ----------
    network : Network
        Normalised weights, and tract lengths.
    model : Epileptor, Epileptor2D, EpileptorRestingState or EpileptorStimulation
        Equations and parameters, with a leading axis of members where they differ.
    duration : float
        Seconds of model activity.
    n_members : int
        Number of members.
    output : Path or str, optional
        A netCDF file to which the samples are written chunk by chunk; memory then does not grow
        with `n_members`. The returned dataset reads from it.
    progress : callable, optional
        Called with the fraction done, 0 to 1.
    **arguments
        The other arguments of `simulate`; there is one `seed` for the ensemble.

    Returns
    -------
    xarray.Dataset
        Dims member, time, region.

    Raises
    ------
    ModelError
        As in `simulate`; or the samples exceed the memory limit and there is no `output`.
    """
    chunks = ensemble_chunks(
        network, model, n_members=n_members, duration=duration, progress=progress, **arguments
    )
    if output is not None:
        return _write_chunks(chunks, Path(output))
    plan, _ = _planned_ensemble(network, model, n_members, duration, arguments)
    needed = plan.bytes_kept * n_members
    if needed > plan.options.memory_limit_bytes:
        raise ModelError(
            f"the samples of {n_members} members take {needed / 2**20:.0f} MiB",
            expected=f"at most {plan.options.memory_limit_bytes / 2**20:.0f} MiB",
            hint="give output=FILE.nc, or keep fewer states, a lower sample_rate or float32",
        )
    return xr.concat(list(chunks), dim="member", combine_attrs="override")


def ensemble_chunks(
    network: Network,
    model: Model,
    *,
    n_members: int,
    duration: float,
    progress: Progress | None = None,
    **arguments: Any,
) -> Iterator[xr.Dataset]:
    """Simulate an ensemble and yield its members in chunks, within the memory limit.

    Parameters and errors are those of `simulate_ensemble`.

    Yields
    ------
    xarray.Dataset
        Dims member, time, region; the coordinate member continues from chunk to chunk.
    """
    plan, members = _planned_ensemble(network, model, n_members, duration, arguments)
    per_member = plan.bytes_kept + plan.bytes_working
    # Two chunks exist at once: the one that the caller holds and the one being simulated.
    chunk = min(members_within(plan.options.memory_limit_bytes // 3, per_member, "run"), n_members)
    for start in range(0, n_members, chunk):
        part = slice(start, min(start + chunk, n_members))
        report = None if progress is None else _part_of(progress, part, n_members)
        samples = run_members(plan, members, part, report)
        yield plan.dataset(
            samples, ("member", "time", "region"), {"n_members": n_members}
        ).assign_coords(member=np.arange(part.start, part.stop))


def member_generators(
    seed: int | np.random.Generator | None, n_members: int
) -> list[np.random.Generator]:
    """Return the generator of every member of an ensemble."""
    return _generator(seed).spawn(n_members)


def _part_of(progress: Progress, part: slice, total: int) -> Progress:
    """Return a progress function for some of the members."""

    def report(fraction: float) -> None:
        progress((part.start + fraction * (part.stop - part.start)) / total)

    return report


def _planned_ensemble(
    network: Network, model: Model, n_members: int, duration: float, arguments: Mapping[str, Any]
) -> tuple[Plan, Members]:
    """Plan an ensemble from the arguments of `simulate`."""
    known = dict(arguments)
    options = known.pop("options", None) or Options(keep=("lfp",))
    plan = plan_simulation(
        network, model, duration, known.pop("dt", None), known.pop("sample_rate", 256.0), options,
        n_members,
    )  # fmt: skip
    noise, seed = known.pop("noise", None), known.pop("seed", None)
    generators = None if noise is None else member_generators(seed, n_members)
    members = Members(
        n_members, known.pop("initial", None), known.pop("present", None), generators, noise,
        known.pop("stimulus", None),
    )  # fmt: skip
    if known:
        raise TypeError(f"unknown arguments: {', '.join(sorted(known))}")
    return plan, members


def _generator(seed: int | np.random.Generator | None) -> np.random.Generator:
    """Return a generator; raise an error without a seed."""
    if seed is None:
        raise ModelError("noise without a seed", hint="give seed=1 or a numpy Generator")
    return np.random.default_rng(seed)


def _write_chunks(chunks: Iterator[xr.Dataset], path: Path) -> xr.Dataset:
    """Write chunks to a netCDF file one by one, and open it."""
    import netCDF4

    with atomic_path(path) as temporary, netCDF4.Dataset(temporary, "w") as file:
        for chunk in chunks:
            if not file.dimensions:
                _define_file(file, chunk)
            first = int(chunk["member"][0])
            part = slice(first, first + chunk.sizes["member"])
            for name in ("member", *map(str, chunk.data_vars)):
                file[name][part] = chunk[name].values
    return xr.open_dataset(path, engine="netcdf4")


def _define_file(file: Any, chunk: xr.Dataset) -> None:
    """Create dimensions and variables of the netCDF file; the number of members is unlimited."""
    for name in ("member", "time", "region"):
        file.createDimension(name, None if name == "member" else chunk.sizes[name])
    file.createVariable("member", "i8", ("member",))
    file.createVariable("time", "f8", ("time",))[:] = chunk["time"].values
    file.createVariable("region", str, ("region",))[:] = chunk["region"].values.astype(object)
    for key, values in chunk.data_vars.items():
        file.createVariable(str(key), values.dtype, values.dims, chunksizes=(1, *values.shape[1:]))
    file.setncatts(dict(chunk.attrs))
