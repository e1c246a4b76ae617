"""Paths of results, and the atlas in their names."""

import pytest

from virtualbrain.io.layout import PatientLayout


def test_paths_of_results(tmp_path):
    layout = PatientLayout(tmp_path, "01", "DK")
    names = {
        layout.regions: "sub-01/anat/sub-01_atlas-DK_dseg.tsv",
        layout.relmat("length"): "sub-01/connectome/sub-01_atlas-DK_stat-length_relmat.tsv",
        layout.tvb_zip: "sub-01/connectome/connectivity.zip",
        layout.pial("L"): "sub-01/anat/sub-01_hemi-L_pial.surf.gii",
        layout.gain: "sub-01/ieeg/sub-01_desc-gain.tsv",
        layout.posterior("p"): "sub-01/inference/p/posterior.nc",
        layout.zones("p"): "sub-01/inference/p/zones.tsv",
        layout.outcomes("p"): "sub-01/surgery/p/outcomes.tsv",
        layout.subsets("p"): "sub-01/surgery/p/subsets.tsv",
        layout.provenance: "sub-01/provenance.json",
        layout.report: "sub-01.html",
    }
    assert {k.relative_to(tmp_path).as_posix() for k in names} == set(names.values())
    assert all(k.relative_to(tmp_path).as_posix() == v for k, v in names.items())


@pytest.mark.parametrize("which", ["regions", "connectome_regions"])
def test_atlas_is_read_from_result_names(tmp_path, which):
    path = getattr(PatientLayout(tmp_path, "01", "Destrieux"), which)
    path.parent.mkdir(parents=True)
    path.touch()
    assert PatientLayout.of_results(tmp_path, "01").atlas == "Destrieux"


def test_default_atlas_without_results(tmp_path):
    assert PatientLayout.of_results(tmp_path, "01").atlas == "DesikanKilliany"
