"""Validate the fit on patients of other makers: The Virtual Brain's simulator, real implantations.

    python tests/benchmarks/validate_other_makers.py --scenario early --patients 12 --seed 1
        --out DIR [--connectomes BIDS] [--implantations BIDS] [--cores N] [--config FILE]

The patients (`tvb_patients`) share with those of `virtualbrain validate` only what a clinic does:
the envelope and the mark of the onset. The gain is that of the product. By default the connectome
is that of a group of Desikan-Killiany regions (package tvboptim), changed for each patient, and
the electrodes are planned. --connectomes takes the ready connectomes of a dataset instead,
--implantations its contacts in MNI152: the zone then lies where clinicians saw the onset. The
tables are those of `virtualbrain validate`. A stopped run continues with the patients that are
missing. A patient takes about a minute, half of it in The Virtual Brain. A zone that recruits
nothing in any attempt is reported and left out.
"""

import argparse
import logging
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from inference.settings import Settings
from inference.validate import (
    PatientScores,
    conclude,
    fit_patient,
    judge,
    problem_of,
    score_patient,
)
from tests.benchmarks.tvb_patients import (
    NoSeizureError,
    OtherCohort,
    connectomes_of,
    group_connectome,
    implantations_of,
)
from virtualbrain.config import load_config, settings_from
from virtualbrain.errors import InputError, VirtualBrainError
from virtualbrain.io.atomic import plain, read_json, write_json
from virtualbrain.synthetic.validation_cohort import ValidationCohort

SCENARIOS = ("early", "late")


def cohort_of(options: argparse.Namespace) -> OtherCohort:
    """Return the patients that the options name."""
    own = options.connectomes is None
    connectomes = (group_connectome(),) if own else connectomes_of(options.connectomes)
    contacts = () if options.implantations is None else implantations_of(options.implantations)
    return OtherCohort(options.seed, options.scenario, connectomes, own, contacts)


def require_same(options: argparse.Namespace, settings: Settings) -> None:
    """Write what the results of a folder depend on; refuse a folder of other results.

    Raises
    ------
    InputError
        The folder has results with other options.
    """
    about = {
        "scenario": options.scenario,
        "seed": options.seed,
        "connectomes": options.connectomes and options.connectomes.name,
        "implantations": options.implantations and options.implantations.name,
        "settings": plain(vars(replace(settings, cores=1))),
    }
    path = options.out / "options.json"
    if not path.exists():
        write_json(path, about)
    elif read_json(path) != about:
        raise InputError(
            "the folder has results with other options",
            where=str(path),
            expected="the same scenario, seed, datasets and settings",
            hint="choose another folder for --out",
        )


def scores_of(
    number: int, cohort: OtherCohort, settings: Settings, folder: Path
) -> PatientScores | None:
    """Return the scores of patient `number` (from 0), read or computed; None without a seizure."""
    path = folder / f"patient-{number + 1:03d}.json"
    if not path.exists():
        try:
            patient = cohort.draw(number)
        except NoSeizureError as error:
            write_json(path, {"no_seizure": str(error)})
        else:
            posterior = fit_patient(problem_of(patient), cohort.seed, number, settings, "default")
            write_json(path, score_patient(number, patient, *judge(posterior)).as_json())
    content = read_json(path)
    if "no_seizure" in content:
        print(content["no_seizure"], flush=True)
        return None
    return PatientScores.from_json(content)


def run(options: argparse.Namespace) -> None:
    """Draw, fit and score all patients; write tables, summary and plot."""
    config = load_config(options.config)
    settings = settings_from(config["inference"], Settings, "inference")
    settings = replace(settings, cores=options.cores)
    options.out.mkdir(parents=True, exist_ok=True)
    require_same(options, settings)
    cohort = cohort_of(options)
    found = []
    for number in range(options.patients):
        scores = scores_of(number, cohort, settings, options.out)
        if scores is not None:
            print(scores.line(), flush=True)
            found.append(scores)
    if found:
        conclude(found, ValidationCohort(options.seed, options.scenario), settings, options.out)
        print(f"wrote tables and calibration curve to {options.out}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the validation; return the exit code."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--scenario", choices=SCENARIOS, default="early")
    parser.add_argument("--patients", type=int, default=12)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--connectomes", type=Path, help="dataset with ready connectomes")
    parser.add_argument("--implantations", type=Path, help="dataset with contacts in MNI152")
    parser.add_argument("--cores", type=int, default=1)
    parser.add_argument("--config", type=Path)
    options = parser.parse_args(arguments)
    logging.disable(logging.WARNING)
    try:
        run(options)
    except VirtualBrainError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
