"""What every page of the report shares: templates, names of regions, what is counted."""

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from virtualbrain.io.results import PatientResults, PriorResults
from virtualbrain.report import numbers
from virtualbrain.report.tables import with_interval


def environment() -> Environment:
    """Return the templates' environment: everything is escaped, unknown names are errors."""
    environment = Environment(
        loader=PackageLoader("virtualbrain.report", "templates"),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        show=numbers.show, percent=numbers.percent, is_number=numbers.is_number
    )
    environment.globals.update(with_interval=with_interval)
    return environment


def region_names(results: PatientResults) -> tuple[str, ...]:
    """Return the page's regions: the connectome's, else the table's, else those of the zones."""
    if results.weights is not None:
        return tuple(str(name) for name in results.weights.frame.index)
    if results.regions is not None:
        return tuple(str(name) for name in results.regions.frame["name"])
    if results.main.zones is not None:
        return tuple(sorted(str(name) for name in results.main.zones.frame["region"]))
    return ()


def interval_words(priors: PriorResults) -> str:
    """Return how wide the intervals of the zones table are, in words."""
    sidecar = priors.zones.sidecar if priors.zones else {}
    mass = numbers.lookup(sidecar, ("ci_prob", "interval", "credible_interval", "ci"))
    return f"{100 * (mass if numbers.is_number(mass) and 0 < mass < 1 else numbers.CI_PROB):.0f} %"


def counts(results: PatientResults) -> dict[str, str]:
    """Return how much of everything there is, for the head of the page."""
    found: dict[str, str] = {}
    if results.regions is not None or results.weights is not None:
        found["regions"] = f"{len(region_names(results))} regions ({results.atlas})"
    if results.contacts is not None:
        frame = results.contacts.frame
        shafts = frame["electrode"].nunique() if "electrode" in frame else None
        found["contacts"] = f"{len(frame)} contacts" + (
            f" on {shafts} electrodes" if shafts else ""
        )
    if results.channels is not None:
        frame = results.channels.frame
        good = int((frame["status"] == "good").sum()) if "status" in frame else len(frame)
        found["channels"] = f"{good} channels fitted"
    if results.seizures:
        found["seizures"] = f"{len(results.seizures)} seizure" + "s" * (len(results.seizures) > 1)
    return found
