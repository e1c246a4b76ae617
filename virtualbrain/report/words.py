"""Put region labels and plans into words that people say; labels stay as tooltips."""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

from virtualbrain.anatomy.region_names import hemisphere_of
from virtualbrain.anatomy.spoken_names import SIDES, lobe_of, nucleus_of, spoken_name

_MESIAL = ("hippocampus", "amygdala")


def in_words(text: str, labels: Sequence[str]) -> str:
    """Return a text with every region label replaced by its anatomical name."""
    known, pattern = _known_words(tuple(labels))
    return text if pattern is None else pattern.sub(lambda m: known[m.group()], text)


@lru_cache(maxsize=64)
def _known_words(labels: tuple[str, ...]) -> tuple[Mapping[str, str], re.Pattern[str] | None]:
    """Return the anatomical name of each label, and the pattern that finds the labels."""
    known = {label: spoken_name(label) for label in labels}
    changed = sorted((k for k, v in known.items() if k != v), key=len, reverse=True)
    if not changed:
        return known, None
    pattern = "|".join(re.escape(label) for label in changed)
    return known, re.compile(rf"(?<![\w-])(?:{pattern})(?![\w-])")


def operation(kind: str, regions: Sequence[str]) -> str:
    """Describe the removal of regions as an operation.

    Parameters
    ----------
    kind : str
        Kind of the plan: resection, ablation, clinical.
    regions : sequence of str
        Labels of the removed regions.

    Returns
    -------
    str
        The side, the lobes and the mesial structures of the plan; empty where a region's side or
        place is unknown.
    """
    act = "ablation" if kind == "ablation" else "resection"
    if len(regions) == 1:
        name = spoken_name(regions[0])
        return "" if name == regions[0] else f"{act} of the {name}"
    sides = [hemisphere_of(label) for label in regions]
    places = [lobe_of(label) or nucleus_of(label) for label in regions]
    if not regions or None in sides or None in places:
        return ""
    side = SIDES[sides[0]] if len(set(sides)) == 1 and sides[0] else "bilateral"
    lobes = list(dict.fromkeys(filter(None, map(lobe_of, regions))))
    deep = list(dict.fromkeys(filter(None, map(nucleus_of, regions))))
    deep.sort(key=lambda name: _MESIAL.index(name) if name in _MESIAL else len(_MESIAL))
    if not lobes:
        return f"{side} {act} of {_listed(deep)}"
    return f"{side} {'-'.join(lobes)} {act}" + (f" with {_listed(deep)}" if deep else "")


def _listed(names: Sequence[str]) -> str:
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"
