"""Command on the places of the contacts: `contact-regions`."""

import argparse
from typing import Any

from virtualbrain.commands.console import report_error, say
from virtualbrain.commands.participants import chosen_labels, file_options
from virtualbrain.config import load_config, settings_from
from virtualbrain.errors import FAULT_OF_INPUT, VirtualBrainError


def contact_regions(options: argparse.Namespace) -> int:
    """Write the regions of every contact in all atlases that are in its coordinate frame."""
    config = load_config(options.config, file_options(options))
    failed = False
    for label in chosen_labels(options.bids, options.participant_label, config):
        try:
            _write(options, label, config)
        except VirtualBrainError as error:
            report_error(f"sub-{label}: {error}")
            failed = True
    return FAULT_OF_INPUT if failed else 0


def _write(options: argparse.Namespace, label: str, config: dict[str, Any]) -> None:
    """Compute and write the table of one patient."""
    from virtualbrain.io.layout import PatientLayout
    from virtualbrain.io.patient_search import find_patient
    from virtualbrain.io.provenance import sidecar
    from virtualbrain.io.tables import write_table
    from virtualbrain.pipeline.check import file_settings
    from virtualbrain.pipeline.contact_regions import atlases_of
    from virtualbrain.seeg.contacts import read_contacts
    from virtualbrain.seeg.contacts_in_atlases import regions_in_atlases
    from virtualbrain.seeg.settings import SeegSettings
    from virtualbrain.seeg.template_contacts import in_the_template

    settings = settings_from(config["seeg"], SeegSettings, "seeg")
    files = find_patient(options.bids, label, file_settings(config))
    contacts = read_contacts(files, settings)
    atlases = atlases_of(files, options.out, options.atlas)
    if files.uses_template:
        settings = in_the_template(settings)
    table = regions_in_atlases(contacts, atlases, settings)
    path = PatientLayout(options.out, label).contacts_in_atlases
    sources = [path.name for path in (files.electrodes, files.coordsystem) if path is not None]
    about = {"Atlases": {one.name: one.source for one in atlases}}
    write_table(path, table, {**sidecar(config, ("seeg",), sources), **about})
    for one in atlases:
        own = table[table["atlas"] == one.name]
        say(
            f"sub-{label}: {one.name} ({one.source}): {int(own['region'].notna().sum())} of "
            f"{len(own)} contacts in a region"
        )
    say(f"sub-{label}: wrote {path}")
