"""Command `cortex`: seizures of a fitted patient on the cortical surface."""

import argparse
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from virtualbrain.commands.console import err_console, say, warn
from virtualbrain.commands.participants import labels_with_results
from virtualbrain.config import load_config, settings_from
from virtualbrain.errors import InputError
from virtualbrain.io.bids import check_label
from virtualbrain.io.layout import PatientLayout

if TYPE_CHECKING:
    import xarray as xr

    from virtualbrain.commands.cortex_files import CorticalAnatomy
    from virtualbrain.cortex.mesh import MeshPlan, PatientMesh
    from virtualbrain.cortex.resection import Surgery
    from virtualbrain.cortex.run import CortexResult, Recorded
    from virtualbrain.cortex.settings import CortexSettings
    from virtualbrain.surgery.draws import FittedDraws

_REGION_DRAWS = 200
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*")


def cortex(options: argparse.Namespace) -> int:
    """Simulate each patient's seizure on the surface, and write surfaces, maps, tables, a page."""
    settings, surgery = _settings(options), _surgery(options)
    config = load_config(options.config)
    if options.only_focus and not options.focus:
        raise InputError("--only-focus without --focus", hint="state where the focus is")
    if not _NAME.fullmatch(options.name):
        raise InputError(f"--name {options.name}", expected="letters, digits and hyphens")
    labels = [check_label(o) for o in options.participant_label or labels_with_results(options.out)]
    layouts = [PatientLayout.of_results(options.out, label) for label in labels]
    for layout in layouts:
        _require_results(layout, options.priors)
    for layout in layouts:
        _run(layout, options, surgery, settings, config)
    return 0


def _settings(options: argparse.Namespace) -> "CortexSettings":
    from virtualbrain.cortex.settings import CortexSettings

    return CortexSettings(
        n_vertices=options.vertices,
        draws=options.draws,
        local=options.local,
        width_mm=options.kernel_width,
    )


def numbers(text: str, count: int, option: str, form: str) -> list[float]:
    """Return numbers separated by commas.

    Raises
    ------
    InputError
        Not as many numbers as expected.
    """
    try:
        found = [float(part) for part in text.split(",")]
    except ValueError:
        found = []
    if len(found) != count or not np.isfinite(found).all():
        raise InputError(f"{option} {text}", expected=form, hint="separate numbers by commas only")
    return found


def _surgery(options: argparse.Namespace) -> "Surgery":
    """Return the plan of the options."""
    from virtualbrain.cortex.resection import Mask, Sphere, Surgery
    from virtualbrain.io.images import read_image

    volumes: list[Sphere | Mask] = []
    for text in options.resect_sphere or ():
        x, y, z, radius = numbers(
            text, 4, "--resect-sphere", "x,y,z,radius in mm, scanner RAS of the T1w image"
        )
        volumes.append(Sphere((x, y, z), radius))
    for path in options.resect_mask or ():
        volumes.append(Mask.of(read_image(path), Path(path).name))
    return Surgery(volumes, _names(options.resect_regions), _names(options.disconnect))


def _names(text: str | None) -> tuple[str, ...]:
    return tuple(name.strip() for name in (text or "").split(",") if name.strip())


def _require_results(layout: PatientLayout, priors: str) -> None:
    """Raise an error if a patient has no surface, images or fit."""
    for path, what, hint in (
        (
            layout.pial("L"),
            "no pial surface",
            "the command needs a run with a T1w image; a ready connectome has no surface",
        ),
        (layout.regions, "no region table", "run the stage anatomy"),
        (layout.labels, "no label image", "run the stage anatomy"),
        (layout.posterior(priors), "no such posterior", "run the stage inference"),
        (layout.channels, "no table of channels", "run the stage seeg"),
    ):
        if not path.is_file():
            raise InputError(f"sub-{layout.label}: {what}", where=path.name, hint=hint)


def _run(
    layout: PatientLayout,
    options: argparse.Namespace,
    surgery: "Surgery",
    settings: "CortexSettings",
    config: dict[str, Any],
) -> None:
    """Simulate one patient and write the results."""
    from inference.posterior import load
    from virtualbrain.cortex.mesh import mesh_plan
    from virtualbrain.cortex.resection import require_known
    from virtualbrain.cortex.run import run_cortex
    from virtualbrain.seeg.settings import SeegSettings
    from virtualbrain.surgery.draws import draws_from

    posterior, anatomy = load(layout.posterior(options.priors)), _anatomy(layout)
    draws = draws_from(
        posterior, settings.draws, np.random.default_rng(config["seed"]), settings.suspicion
    )
    require_known(surgery, draws.regions)
    seeg = settings_from(config["seeg"], SeegSettings, "seeg")
    plan = mesh_plan(anatomy.surfaces, settings)
    with _progress(layout.label) as step:
        mesh = _mesh(layout, anatomy, settings, plan, step)
        foci = _foci(options.focus or (), mesh)
        result = run_cortex(
            mesh, plan, draws, _recorded(layout, posterior, draws), anatomy.regions,
            anatomy.labels, surgery, foci, options.only_focus, settings, seeg, step,
        )  # fmt: skip
        step("writing")
        _write(layout, options, result, anatomy, config)
    _say(layout, options, result)


def _anatomy(layout: PatientLayout) -> "CorticalAnatomy":
    """Read the surfaces, the region table and the label image."""
    from virtualbrain.commands.cortex_files import CorticalAnatomy
    from virtualbrain.io.anatomy import read_surface
    from virtualbrain.io.images import read_image
    from virtualbrain.io.tables import read_table

    surfaces = {
        side: read_surface(layout.pial(side), layout.pial_labels(side))
        for side in "LR"
        if layout.pial(side).is_file()
    }
    columns = ("index", "name", "hemisphere", "structure")
    return CorticalAnatomy(
        surfaces, read_table(layout.regions, required=columns), read_image(layout.labels)
    )


@contextmanager
def _progress(label: str) -> Iterator[Callable[[str], Callable[[float], None]]]:
    """Show a bar; yield what is called with the name of each part."""
    from rich.progress import Progress

    with Progress(console=err_console, transient=True) as bar:
        task = bar.add_task(f"sub-{label}", total=1.0)

        def step(name: str) -> Callable[[float], None]:
            bar.update(task, description=f"sub-{label}: {name}", completed=0.0)
            return lambda fraction: bar.update(task, completed=fraction)

        yield step


def _mesh(
    layout: PatientLayout,
    anatomy: "CorticalAnatomy",
    settings: "CortexSettings",
    plan: "MeshPlan",
    step: Callable[[str], Callable[[float], None]],
) -> "PatientMesh":
    """Return the surface, from an earlier run if it was prepared there."""
    from virtualbrain.cortex.mesh import arrays_of, mesh_from, mesh_of
    from virtualbrain.io.cortex import read_arrays, surface_key, write_arrays

    path = layout.cortex_mesh(settings.n_vertices)
    key = surface_key(layout, settings.n_vertices, plan.reach_mm)
    stored = read_arrays(path, key)
    if stored is not None:
        return mesh_from(stored)
    step("preparing the surface (once)")
    mesh = mesh_of(anatomy.surfaces, anatomy.regions, settings.n_vertices, plan.reach_mm)
    write_arrays(path, arrays_of(mesh), key)
    return mesh


def _foci(texts: Sequence[str], mesh: "PatientMesh") -> list[Any]:
    """Return the patches of the option --focus: x,y,z,cm² or vertex,cm²."""
    from virtualbrain.cortex.focus import focus_around, nearest_vertex

    found = []
    for text in texts:
        form = "x,y,z,area (mm, cm²) or vertex,area"
        values = numbers(text, 4 if text.count(",") > 1 else 2, "--focus", form)
        centre = (
            nearest_vertex(mesh.cortex, np.array(values[:3]))
            if len(values) == 4
            else int(values[0])
        )
        found.append(focus_around(mesh.cortex, centre, values[-1]))
    return found


def _recorded(layout: PatientLayout, posterior: "xr.DataTree", draws: "FittedDraws") -> "Recorded":
    """Return the recorded onsets of the fitted channels, and those of the region model."""
    from virtualbrain.cortex.channels import rows_of
    from virtualbrain.cortex.run import Recorded
    from virtualbrain.io.seeg import read_channels, read_contacts, read_gain

    channels = read_channels(layout.channels)
    fitted = [str(name) for name in posterior["constant_data"]["channel"].to_numpy()]
    missing = set(fitted) - set(channels["name"])
    if missing:
        raise InputError(
            f"no channel {min(missing)}", where=layout.channels.name, hint="run the stage seeg"
        )
    gain = read_gain(layout.gain)
    samples = posterior["posterior"].to_dataset()
    simulated = _simulated_onsets(draws)
    power = float(samples["peak_log_power"].median()) if "peak_log_power" in samples else None
    return Recorded(
        channels=channels.set_index("name", drop=False).loc[fitted].reset_index(drop=True),
        contacts=read_contacts(layout.contacts),
        gain=rows_of(gain[list(draws.regions)], fitted),
        region_onset_s=_fitted_onsets(samples, simulated),
        simulated_onset_s=simulated,
        log_power=power,
    )


def _fitted_onsets(samples: "xr.Dataset", simulated: np.ndarray) -> np.ndarray:
    """Return onsets of the regions over draws: those of the fit, if it has them."""
    if "onset_s" not in samples:
        return simulated
    onset = samples["onset_s"]
    onset = onset.isel(seizure=0) if "seizure" in onset.dims else onset
    every = onset.stack(sample=("chain", "draw")).transpose("sample", "region").to_numpy()
    return np.asarray(every[:: max(1, len(every) // _REGION_DRAWS)], dtype=np.float64)


def _simulated_onsets(draws: "FittedDraws") -> np.ndarray:
    """Return onsets of the network of regions over draws."""
    from virtualbrain.surgery.network_change import Change
    from virtualbrain.surgery.outcome import onset_steps
    from virtualbrain.surgery.settings import SurgerySettings

    ones = np.ones(len(draws.regions))
    none = Change(ones, ones > 0, ones < 0, draws.weights, ones)
    steps = onset_steps([none], draws, SurgerySettings())[0]
    seizes = np.isfinite(steps)
    return np.where(seizes, draws.time_s[np.where(seizes, steps, 0).astype(int)], np.nan)


def _write(
    layout: PatientLayout,
    options: argparse.Namespace,
    result: "CortexResult",
    anatomy: "CorticalAnatomy",
    config: dict[str, Any],
) -> None:
    """Write all files of one run."""
    from virtualbrain.commands.cortex_files import write_results
    from virtualbrain.io.manifest import checksum
    from virtualbrain.io.provenance import sidecar

    sources = [layout.pial("L").name, layout.relmat("streamlines").name, "posterior.nc"]
    about = {
        **sidecar(config, ("seeg", "seed"), sources),
        "Posterior": checksum(layout.posterior(options.priors)),
        "Focus": list(options.focus or ()),
        "OnlyFocus": options.only_focus,
        "ResectSphere": list(options.resect_sphere or ()),
        "ResectMask": [Path(path).name for path in options.resect_mask or ()],
        "ResectRegions": list(_names(options.resect_regions)),
        "Disconnect": list(_names(options.disconnect)),
    }
    write_results(layout, options.priors, options.name, result, anatomy, about)


def _say(layout: PatientLayout, options: argparse.Namespace, result: "CortexResult") -> None:
    """Print the main numbers."""
    kernel, label = result.plan.kernel, f"sub-{layout.label}"
    say(
        f"{label}: {result.mesh.cortex.n_vertices} vertices, "
        f"{result.plan.spacing_mm:.1f} mm apart; "
        f"local kernel {kernel.shape}, {kernel.width_mm:g} mm, cut-off {kernel.cutoff_mm:g} mm, "
        f"strength {result.simulator.settings.local:g}"
    )
    for name, found in (
        ("surface", result.surface),
        ("regions, simulated with the same draws", result.simulated),
        ("regions, onsets of the fit", result.region),
    ):
        rank, error = found["rank_correlation"], found["median_error_s"]
        words = "too few for a rank correlation" if rank is None else f"rank correlation {rank:.2f}"
        if error is not None:
            words += f", median error {error:.1f} s"
        say(
            f"{label}: {name}: onset in {found['both']} of {found['recorded']} channels with a "
            f"recorded one, {found['extra']} others; {words}"
        )
    say(f"{label}: {_outcome_words(result)}")
    folder = layout.cortex_page(options.priors, options.name)
    say(f"{label}: wrote {folder.parent}; open {folder.name}")
    for region in result.simulator.nodes.regions[len(result.simulator.draws.regions) :]:
        warn(f"{label}: {region} was not fitted; its cortex is taken as healthy")


def _outcome_words(result: "CortexResult") -> str:
    before = float(np.median(result.before.recruited_cm2))
    words = f"{before:.1f} cm² seize (median of {len(result.before.recruited_cm2)} draws)"
    if result.after is None or result.operated is None:
        return words
    after = float(np.median(result.after.recruited_cm2))
    return (
        f"{words}; {result.operated.removed_cm2:.1f} cm² taken out: {after:.1f} cm² seize, "
        f"no seizure in {result.after.share_free:.0%} of the draws"
    )
