"""Commands that prepare a dataset: `deidentify`, `contacts`, `seizures`."""

import argparse
from pathlib import Path

from virtualbrain.commands.console import say
from virtualbrain.commands.participants import chosen_labels, file_options
from virtualbrain.config import load_config, settings_from
from virtualbrain.errors import InputError
from virtualbrain.io.file_settings import FileSettings


def deidentify(options: argparse.Namespace) -> int:
    """Write a copy of the dataset without names, true dates, free text and faces."""
    import secrets

    from virtualbrain.privacy.deidentify import SHIFT_DAYS, CopyChoices
    from virtualbrain.privacy.deidentify import deidentify as write_copy

    config = load_config(options.config, file_options(options))
    shift_days = secrets.randbelow(SHIFT_DAYS[1] - SHIFT_DAYS[0]) + SHIFT_DAYS[0]
    choices = CopyChoices(
        shift_days,
        tuple(config["seeg"]["seizure_words"]),
        config["seed"],
        files=settings_from(config["files"], FileSettings, "files"),
    )
    labels = chosen_labels(options.bids, options.participant_label, config)
    for change in write_copy(options.bids, options.copy, labels, choices):
        say(f"{change.file}: {change.what}")
    say(f"wrote the copy to {options.copy}; labels and file names are unchanged, check them")
    return 0


def contacts(options: argparse.Namespace) -> int:
    """Propose contacts between marked end points, draw them, and write them if approved."""
    from virtualbrain.io.patient_search import find_patient
    from virtualbrain.seeg.contact_proposal import ContactChoices, propose_contacts

    config = load_config(None, file_options(options))
    label = chosen_labels(options.bids, options.participant_label, config)
    if len(label) != 1:
        raise InputError(
            f"{len(label)} participants",
            where=options.bids,
            expected="one",
            hint="choose one with --participant-label",
        )
    choices = ContactChoices(options.spacing, options.metal, options.register, options.approve)
    which = settings_from(config["files"], FileSettings, "files")
    files = find_patient(options.bids, label[0], which)
    for line in propose_contacts(files, options.endpoints, options.ct, options.out, choices):
        say(line)
    return 0


def seizures(options: argparse.Namespace) -> int:
    """List the marked seizures; propose and draw a missing onset or end."""
    from virtualbrain.io.patient_search import find_patient
    from virtualbrain.seeg.seizure_proposals import describe, draw_proposals, propose_times
    from virtualbrain.seeg.settings import SeegSettings

    config = load_config(options.config, file_options(options))
    settings = settings_from(config["seeg"], SeegSettings, "seeg")
    which = settings_from(config["files"], FileSettings, "files")
    for label in chosen_labels(options.bids, options.participant_label, config):
        found = propose_times(find_patient(options.bids, label, which), settings)
        for proposal in found:
            say(f"sub-{label}: {describe(proposal)}")
        if proposed := [proposal for proposal in found if proposal.missing]:
            picture = Path(options.out) / f"sub-{label}_desc-proposal_seizures.png"
            draw_proposals(proposed, picture)
            say(f"sub-{label}: check the proposals in {picture}")
    return 0
