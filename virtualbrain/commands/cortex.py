"""Command `cortex`: seizures of a fitted patient on the cortical surface."""

import argparse
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from virtualbrain.commands.console import err_console, say, warn
from virtualbrain.commands.participants import labels_with_results
from virtualbrain.config import load_config
from virtualbrain.errors import InputError
from virtualbrain.io.bids import check_label
from virtualbrain.io.layout import PatientLayout

if TYPE_CHECKING:
    from virtualbrain.cortex.focus_search import FoundFocus
    from virtualbrain.cortex.resection import Surgery
    from virtualbrain.cortex.run import CortexResult
    from virtualbrain.cortex.smallest import Smallest
    from virtualbrain.models.cortex import Cortex
    from virtualbrain.pipeline.cortex import CortexRequest, StatedFocus

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*")


def cortex(options: argparse.Namespace) -> int:
    """Simulate each patient's seizure on the surface, and write surfaces, maps, tables, a page."""
    from inference.posterior import load
    from virtualbrain.pipeline.cortex import require_results, simulate_patient

    request, config = _request(options), load_config(options.config, _overrides(options))
    labels = [check_label(o) for o in options.participant_label or labels_with_results(options.out)]
    layouts = [PatientLayout.of_results(options.out, label) for label in labels]
    for layout in layouts:
        require_results(layout, options.priors)
    for layout in layouts:
        posterior = load(layout.posterior(options.priors))
        with _progress(layout.label) as step:
            result = simulate_patient(layout, posterior, request, config, step)
        _say(layout, options, result)
    return 0


def _overrides(options: argparse.Namespace) -> dict[str, Any]:
    """Return the settings that options state."""
    stated = {
        "n_vertices": options.vertices,
        "draws": options.draws,
        "local": options.local,
        "x0_sd": options.x0_sd,
        "width_mm": options.kernel_width,
    }
    changed = {name: value for name, value in stated.items() if value is not None}
    return {"cortex": changed} if changed else {}


def _request(options: argparse.Namespace) -> "CortexRequest":
    """Return what the options ask for."""
    from virtualbrain.cortex.focus import require_area
    from virtualbrain.cortex.smallest import require_share
    from virtualbrain.pipeline.cortex import CortexRequest

    if options.only_focus and not options.focus and options.find_focus is None:
        raise InputError("--only-focus without --focus", hint="state where the focus is")
    if options.focus and options.find_focus is not None:
        raise InputError("--focus and --find-focus", expected="one of them")
    if options.find_focus is not None:
        require_area(options.find_focus)
    if not _NAME.fullmatch(options.name):
        raise InputError(f"--name {options.name}", expected="letters, digits and hyphens")
    surgery = _surgery(options)
    if options.smallest_resection is not None:
        require_share(options.smallest_resection)
        if surgery:
            raise InputError(
                "--smallest-resection with another surgery",
                hint="give it alone; --focus may be stated beside it",
            )
    return CortexRequest(
        priors=options.priors,
        name=options.name,
        foci=[_focus(text) for text in options.focus or ()],
        find_cm2=options.find_focus,
        only_foci=options.only_focus,
        surgery=surgery,
        smallest=options.smallest_resection,
        about={
            "Focus": list(options.focus or ()),
            "FindFocus": options.find_focus,
            "OnlyFocus": options.only_focus,
            "ResectSphere": list(options.resect_sphere or ()),
            "ResectMask": [Path(path).name for path in options.resect_mask or ()],
            "ResectRegions": list(_names(options.resect_regions)),
            "Disconnect": list(_names(options.disconnect)),
            "Cut": list(options.cut or ()),
            "CutDepth": options.cut_depth,
            "SmallestResectionFor": options.smallest_resection,
        },
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


def _focus(text: str) -> "StatedFocus":
    """Return the focus of an option: x,y,z,cm² or vertex,cm²."""
    from virtualbrain.pipeline.cortex import StatedFocus

    form = "x,y,z,area (mm, cm²) or vertex,area"
    if text.count(",") > 1:
        x, y, z, area = numbers(text, 4, "--focus", form)
        return StatedFocus((x, y, z), area)
    vertex, area = numbers(text, 2, "--focus", form)
    return StatedFocus(int(vertex), area)


def _surgery(options: argparse.Namespace) -> "Surgery":
    """Return the plan of the options."""
    from virtualbrain.cortex.cut import Cut
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
    cuts = [Cut(_line(text), options.cut_depth) for text in options.cut or ()]
    return Surgery(volumes, _names(options.resect_regions), _names(options.disconnect), cuts)


def _line(text: str) -> tuple[tuple[float, float, float], ...]:
    """Return the points of a cut from x,y,z of each."""
    n = max(2, (text.count(",") + 1) // 3)
    found = numbers(text, 3 * n, "--cut", "x,y,z of two or more points in mm, scanner RAS")
    return tuple((found[k], found[k + 1], found[k + 2]) for k in range(0, 3 * n, 3))


def _names(text: str | None) -> tuple[str, ...]:
    return tuple(name.strip() for name in (text or "").split(",") if name.strip())


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


def _say(layout: PatientLayout, options: argparse.Namespace, result: "CortexResult") -> None:
    """Print the main numbers."""
    kernel, label = result.plan.kernel, f"sub-{layout.label}"
    say(
        f"{label}: {result.mesh.cortex.n_vertices} vertices, "
        f"{result.plan.spacing_mm:.1f} mm apart; "
        f"local kernel {kernel.shape}, {kernel.width_mm:g} mm, cut-off {kernel.cutoff_mm:g} mm, "
        f"strength {result.simulator.settings.local:g}"
    )
    if result.found is not None:
        _say_found(label, result.mesh.cortex, result.found)
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


def _say_found(label: str, cortex: "Cortex", found: "FoundFocus") -> None:
    """Print where the search found the start."""
    what = "one growing patch"
    if found.simulations:
        what = f"the best of {found.simulations} simulations"
    left = (
        f"{what} leaves {found.left:.0%} of the squared log power unexplained, the fitted "
        f"regions {found.left_by_regions:.0%}"
    )
    if not found.supported:
        warn(
            f"{label}: {left}: one place on the cortex does not explain the recording; "
            "no focus was placed, seizures start where the fit says, and the map of the focus says "
            "nothing"
        )
        return
    place = ", ".join(f"{value:.0f}" for value in cortex.vertices_mm[found.vertex])
    say(
        f"{label}: the seizure starts within {found.near_mm:g} mm of {place} mm (scanner RAS, "
        f"{cortex.regions[found.vertex]}) with probability {found.p_near:.0%}; {left}"
    )


def _outcome_words(result: "CortexResult") -> str:
    before = float(np.median(result.before.recruited_cm2))
    words = f"{before:.1f} cm² seize (median of {len(result.before.recruited_cm2)} draws)"
    if result.after is None or result.operated is None:
        return words
    after = float(np.median(result.after.recruited_cm2))
    if result.smallest is not None:
        words += f"; {_smallest_words(result.smallest)}"
    removed = result.operated.removed_cm2
    done = f"{removed:.1f} cm² taken out" if removed else "after surgery"
    return (
        f"{words}; {done}: {after:.1f} cm² seize, no seizure in {result.after.share_free:.0%} of "
        "the draws"
    )


def _smallest_words(found: "Smallest") -> str:
    place = ""
    if found.centre_mm is not None:
        x, y, z = found.centre_mm
        place = f" around {x:.1f},{y:.1f},{z:.1f} (up to {found.radius_mm:.0f} mm away)"
    return (
        f"smallest of {found.plans} resections ({found.simulations} simulations): "
        f"{found.area_cm2:.1f} cm² of cortex, {found.volume_cm3:.1f} cm³ with nuclei{place}, "
        f"{', '.join(found.places)}"
    )
