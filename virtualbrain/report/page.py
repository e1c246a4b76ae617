"""Provide what every HTML page of the report needs: templates, region names, counts."""

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from virtualbrain.io.results import PatientResults
from virtualbrain.report import numbers
from virtualbrain.report.findings import group_connectome, template_anatomy
from virtualbrain.report.tables import with_interval


@cache
def environment() -> Environment:
    """Return the environment of the templates: all text is escaped, unknown names are errors."""
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
    """Return the regions of the report, in the order of the connectome.

    Without a connectome they are those of the region table, else those of the zones.
    """
    if results.weights is not None:
        return tuple(str(name) for name in results.weights.frame.index)
    if results.regions is not None:
        return tuple(str(name) for name in results.regions.frame["name"])
    if results.main.zones is not None:
        return tuple(sorted(row.region for row in results.main.zones.rows))
    return ()


def counts(results: PatientResults) -> tuple[str, ...]:
    """Return the numbers of regions, contacts, channels and seizures, in words."""
    found = []
    if results.regions is not None or results.weights is not None:
        found.append(f"{len(region_names(results))} regions ({results.atlas})")
    if template_anatomy(results):
        found.append("anatomy of the template, not of this patient")
    if group_connectome(results):
        found.append("connectome of a group, not of this patient")
    if results.contacts is not None:
        frame = results.contacts.frame
        found.append(f"{len(frame)} contacts on {frame['electrode'].nunique()} electrodes")
    if results.channels is not None:
        good = int((results.channels.frame["status"] == "good").sum())
        found.append(f"{good} channels fitted")
    if results.seizures:
        found.append(f"{len(results.seizures)} seizure" + "s" * (len(results.seizures) > 1))
    return tuple(found)
