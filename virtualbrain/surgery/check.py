"""Check the clinic's stimulation plans before any stage runs."""

from virtualbrain.errors import InputError, VirtualBrainError
from virtualbrain.io.bids import PatientFiles
from virtualbrain.io.clinical import PlanRow, read_plans
from virtualbrain.io.tables import read_table
from virtualbrain.seeg.names import key_of, parse_channel


def check_pairs(files: PatientFiles) -> list[VirtualBrainError]:
    """Return an error for each stimulation pair that was not implanted.

    Parameters
    ----------
    files : PatientFiles
        The patient's files. Errors of the tables themselves are reported by their readers.
    """
    if files.plans is None or files.electrodes is None:
        return []
    try:
        rows = read_plans(files.plans)
        implanted = {key_of(str(n)) for n in read_table(files.electrodes, ["name"])["name"]}
    except VirtualBrainError:
        return []
    return [problem for row in rows if row.pair for problem in _of_pair(row, implanted)]


def _of_pair(row: PlanRow, implanted: set[str]) -> list[VirtualBrainError]:
    """Return the errors of one pair."""
    pair = parse_channel(str(row.pair))
    if pair.cathode is None:
        return [
            InputError(
                f"{row.pair} is not a pair of contacts", where=row.where, expected="such as A1-A2"
            )
        ]
    missing = [name for name in (pair.anode, pair.cathode) if key_of(name) not in implanted]
    if not missing:
        return []
    return [
        InputError(
            f"the contact {missing[0]} of the pair {row.pair} was not implanted",
            where=row.where,
            expected="two contacts of electrodes.tsv",
        )
    ]
