"""Name regions in plain words: ``ctx-rh-middletemporal`` is the right middle temporal gyrus."""

import re

from virtualbrain.anatomy.region_names import hemisphere_of

SIDES = {"L": "left", "R": "right"}
# Desikan-Killiany labels (Desikan 2006, doi:10.1016/j.neuroimage.2006.01.021): name and lobe.
_CORTEX = {
    "bankssts": ("banks of the superior temporal sulcus", "temporal"),
    "caudalanteriorcingulate": ("caudal anterior cingulate gyrus", "cingulate"),
    "caudalmiddlefrontal": ("caudal middle frontal gyrus", "frontal"),
    "cuneus": ("cuneus", "occipital"),
    "entorhinal": ("entorhinal cortex", "temporal"),
    "frontalpole": ("frontal pole", "frontal"),
    "fusiform": ("fusiform gyrus", "temporal"),
    "inferiorparietal": ("inferior parietal lobule", "parietal"),
    "inferiortemporal": ("inferior temporal gyrus", "temporal"),
    "insula": ("insula", "insular"),
    "isthmuscingulate": ("isthmus of the cingulate gyrus", "cingulate"),
    "lateraloccipital": ("lateral occipital cortex", "occipital"),
    "lateralorbitofrontal": ("lateral orbitofrontal cortex", "frontal"),
    "lingual": ("lingual gyrus", "occipital"),
    "medialorbitofrontal": ("medial orbitofrontal cortex", "frontal"),
    "middletemporal": ("middle temporal gyrus", "temporal"),
    "paracentral": ("paracentral lobule", "frontal"),
    "parahippocampal": ("parahippocampal gyrus", "temporal"),
    "parsopercularis": ("pars opercularis", "frontal"),
    "parsorbitalis": ("pars orbitalis", "frontal"),
    "parstriangularis": ("pars triangularis", "frontal"),
    "pericalcarine": ("pericalcarine cortex", "occipital"),
    "postcentral": ("postcentral gyrus", "parietal"),
    "posteriorcingulate": ("posterior cingulate gyrus", "cingulate"),
    "precentral": ("precentral gyrus", "frontal"),
    "precuneus": ("precuneus", "parietal"),
    "rostralanteriorcingulate": ("rostral anterior cingulate gyrus", "cingulate"),
    "rostralmiddlefrontal": ("rostral middle frontal gyrus", "frontal"),
    "superiorfrontal": ("superior frontal gyrus", "frontal"),
    "superiorparietal": ("superior parietal lobule", "parietal"),
    "superiortemporal": ("superior temporal gyrus", "temporal"),
    "supramarginal": ("supramarginal gyrus", "parietal"),
    "temporalpole": ("temporal pole", "temporal"),
    "transversetemporal": ("transverse temporal gyrus", "temporal"),
}
_NUCLEI = {
    "accumbensarea": "nucleus accumbens",
    "amygdala": "amygdala",
    "caudate": "caudate nucleus",
    "cerebellumcortex": "cerebellar cortex",
    "hippocampus": "hippocampus",
    "pallidum": "globus pallidus",
    "putamen": "putamen",
    "thalamus": "thalamus",
    "thalamusproper": "thalamus",
}
_PREFIX = re.compile(r"^(ctx[-_](lh|rh)[-_]|(left|right|lh|rh|l|r)[-_. ])", re.IGNORECASE)


def spoken_name(label: str) -> str:
    """Return the anatomical name of a region with its side; an unknown label is unchanged.

    Examples
    --------
    >>> spoken_name("ctx-rh-middletemporal")
    'right middle temporal gyrus'
    >>> spoken_name("Left-Hippocampus")
    'left hippocampus'
    >>> spoken_name("area 17")
    'area 17'
    """
    side, stem = hemisphere_of(label), _stem(label)
    name = _CORTEX[stem][0] if stem in _CORTEX else _NUCLEI.get(stem)
    if side is None or name is None:
        return label
    return f"{SIDES[side]} {name}"


def lobe_of(label: str) -> str | None:
    """Return the lobe of a cortical region; None for other regions and unknown labels."""
    stem = _stem(label)
    return _CORTEX[stem][1] if stem in _CORTEX else None


def nucleus_of(label: str) -> str | None:
    """Return the name of a region below the cortex without its side; None for other labels."""
    return _NUCLEI.get(_stem(label))


def _stem(label: str) -> str:
    return re.sub(r"[-_. ]", "", _PREFIX.sub("", label)).lower()
