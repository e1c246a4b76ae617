"""Choose the newest session before surgery."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from virtualbrain.io.tables import read_table

_AFTER_SURGERY = re.compile(r"post[-_]?(?:op|sur|res)|after|follow|^fu\d*$|resect", re.IGNORECASE)
_AFTER = re.compile(r"post(?!erior)", re.IGNORECASE)
_NUMBERED = re.compile(r"(.*?)(\d+)")


def is_after_surgery(session: str) -> bool:
    """Return whether the label of a session says that it is after surgery."""
    return _AFTER_SURGERY.search(session) is not None


def newest_before_surgery(sessions: Iterable[str], times: Mapping[str, str]) -> str | None:
    """Return the newest session before surgery; None if labels and times do not show it.

    Sessions after surgery are those whose label says so (postop, postsurgery, followup, …);
    other labels with "post" give way to those without. The order is that of the times in
    sessions.tsv, or else of the numbers in labels that differ only in their number.

    Parameters
    ----------
    sessions : iterable of str
        Labels without ``ses-``.
    times : mapping of str to str
        ISO 8601 times of the sessions, from `session_times`.
    """
    left = set(sessions)
    for pattern in (_AFTER_SURGERY, _AFTER):
        left = {one for one in left if not pattern.search(one)} or left
    if len(left) == 1:
        return left.pop()
    if left and all(one in times for one in left):
        newest = sorted(left, key=times.__getitem__)
        return newest[-1] if times[newest[-1]] != times[newest[-2]] else None
    numbered = {one: match for one in left if (match := _NUMBERED.fullmatch(one))}
    if left and len(numbered) == len(left) and len({match[1] for match in numbered.values()}) == 1:
        return max(left, key=lambda one: int(numbered[one][2]))
    return None


def session_times(folder: Path, label: str) -> dict[str, str]:
    """Return the time of each session, by label, from a patient's sessions.tsv.

    Parameters
    ----------
    folder : Path
        The patient's folder.
    label : str
        The participant, without ``sub-``.

    Raises
    ------
    InputError
        The table cannot be read.
    """
    path = folder / f"sub-{label}_sessions.tsv"
    if not path.is_file():
        return {}
    table = read_table(path, required=["session_id"])
    if "acq_time" not in table:
        return {}
    rows = zip(table["session_id"].astype(str), table["acq_time"], strict=True)
    return {name.removeprefix("ses-"): str(time) for name, time in rows if isinstance(time, str)}
