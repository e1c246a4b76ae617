"""Command `cortex` on the files of a fitted patient, and its page in a browser."""

import json
import shutil

import nibabel as nib
import numpy as np
import pytest

from tests.cortex.conftest import NAMES, STARTS, label_image, write_fitted
from virtualbrain import cli
from virtualbrain.errors import FAULT_OF_INPUT
from virtualbrain.io.layout import PatientLayout
from virtualbrain.io.manifest import Roots
from virtualbrain.io.tables import read_table
from virtualbrain.pipeline.verification import _unrecorded_files

CHROMIUM = shutil.which("chromium")
SMALL = ("--vertices", "1600", "--draws", "4")
BALL = ("--resect-sphere=-46,0,-5,9", "--name", "ball")


@pytest.fixture(scope="module")
def fitted(made_once):
    """Results with two runs of the command; not to be changed."""

    def make(out):
        write_fitted(out)
        assert cli.main(["cortex", str(out), *SMALL]) == 0
        assert cli.main(["cortex", str(out), *SMALL, *BALL, "--focus=-46,0,-5,1.5"]) == 0

    return PatientLayout(made_once("cortex-patient", make), "01")


def result(layout, rest, name="seizure"):
    return layout.cortex_result("default", name, rest)


def test_surfaces_maps_and_series_have_the_same_vertices(fitted):
    for side in "LR":
        surface = nib.load(result(fitted, f"hemi-{side}_cortex.surf.gii"))
        n = len(surface.agg_data("pointset"))
        assert surface.agg_data("triangle").max() == n - 1
        onset = nib.load(result(fitted, f"hemi-{side}_desc-before_onset.shape.gii")).agg_data()
        share = nib.load(result(fitted, f"hemi-{side}_desc-before_pseizing.shape.gii")).agg_data()
        series = nib.load(result(fitted, f"hemi-{side}_desc-before_x.func.gii"))
        assert len(onset) == len(share) == len(series.darrays[0].data) == n
        assert np.array_equal(np.isfinite(onset), share >= 0.5)
        assert float(series.darrays[0].meta["TimeStep"]) == pytest.approx(0.2)
        # where most draws seize, the typical one rises above zero
        top = np.array([frame.data for frame in series.darrays]).max(axis=0)
        assert (top[share == 1.0] > 0).all()
        assert (top[share == 0.0] < 0).all()
    assert np.isfinite(
        nib.load(result(fitted, "hemi-L_desc-before_onset.shape.gii")).agg_data()
    ).any()


def test_images_lie_on_the_grid_of_the_labels(fitted):
    labels = label_image()
    for kind in ("onset", "pseizing"):
        image = nib.load(result(fitted, f"desc-before_{kind}.nii.gz"))
        np.testing.assert_allclose(image.affine, labels.affine)
        inside = np.asarray(labels.dataobj) == 1 + NAMES.index(STARTS)
        assert np.isfinite(np.asarray(image.dataobj)[inside]).all()


def test_tables_have_sidecars_that_state_kernel_and_draws(fitted):
    outcome = read_table(result(fitted, "desc-outcome.tsv", "ball"))
    assert list(outcome["surgery"]) == ["before", "after"]
    assert outcome["removed_cm2"][1] > 1.0
    assert outcome["recruited_cm2"][0] > outcome["recruited_cm2"][1]
    about = json.loads(result(fitted, "desc-outcome.json", "ball").read_text())
    assert about["Kernel"] == "laplace"
    assert about["Draws"] == 4
    assert about["ResectSphere"] == ["-46,0,-5,9"]
    assert about["Foci"][0]["Region"] == STARTS
    channels = read_table(result(fitted, "desc-channels_onsets.tsv"))
    assert len(channels) == 8
    assert channels["onset_recorded_s"].notna().sum() == 6
    for name in ("surface", "region", "simulated"):
        assert channels[f"onset_{name}_s"].notna().any()


def test_second_run_takes_the_surface_of_the_first_and_gives_the_same(fitted, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(fitted.out, out)
    layout = PatientLayout(out, "01")
    before = layout.cortex_mesh(1600).stat().st_mtime_ns
    names = ("desc-outcome.tsv", "desc-channels_onsets.tsv", "hemi-L_desc-before_x.func.gii")
    first = [result(layout, name).read_bytes() for name in names]
    assert cli.main(["cortex", str(out), *SMALL]) == 0
    assert layout.cortex_mesh(1600).stat().st_mtime_ns == before
    assert [result(layout, name).read_bytes() for name in names] == first


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--resect-regions", "ctx-lh-b9"], "no region ctx-lh-b9"),
        (["--resect-sphere", "1,2,3"], "--resect-sphere 1,2,3"),
        (["--resect-sphere", "1,2,3,-4"], "a radius above zero"),
        (["--resect-sphere", "0,90,90,4"], "takes out no cortex"),
        (["--focus", "0,90,90,4"], "mm from the centre of the focus"),
        (["--focus", "3"], "--focus 3"),
        (["--only-focus"], "--only-focus without --focus"),
        (["--resect-mask", "nowhere.nii.gz"], "no such file"),
        (["--vertices", "5000"], "5000 vertices wanted"),
        (["--draws", "0"], "cortex.draws is 0"),
        (["--name", "../x"], "letters, digits and hyphens"),
        (["--priors", "other"], "no such posterior"),
        (["--kernel-width", "0.5"], "does not resolve"),
        (["--cut", "1,2,3"], "--cut 1,2,3"),
        (["--cut", "1,2,3,4,5"], "--cut 1,2,3,4,5"),
        (["--cut", "1,2,3,1,2,3"], "a cut without length"),
        (["--cut=-46,0,-5,-46,0,5", "--cut-depth", "0"], "not a length"),
        (["--cut", "0,90,90,0,95,90"], "15 mm from the cortex"),
        (["--smallest-resection", "1.5"], "above 0 and up to 1"),
        (["--smallest-resection", "0.5", "--resect-regions", "ctx-lh-b1"], "another surgery"),
    ],
)  # fmt: skip
def test_faults_are_one_line_and_write_nothing(fitted, capsys, options, words):
    arguments = ["cortex", str(fitted.out), *SMALL, "--name", "fault", *options]
    assert cli.main(arguments) == FAULT_OF_INPUT
    said = capsys.readouterr().err.strip()
    assert words in said
    assert said.count("error:") == 1
    assert len(said.splitlines()) == 1
    assert not (fitted.cortex / "default" / "fault").exists()


def test_smallest_resection_and_a_cut_write_what_a_stated_surgery_writes(fitted, tmp_path, capsys):
    layout = write_fitted(tmp_path)
    focus = ("--focus=-46,0,-5,1.5", "--only-focus")
    search = ("--name", "least", "--smallest-resection", "1", *focus)
    assert cli.main(["cortex", str(tmp_path), *SMALL, *search]) == 0
    said = " ".join(capsys.readouterr().out.split())
    about = json.loads(result(layout, "cortex.json", "least").read_text())
    found = about["SmallestResection"]
    words = "smallest of {Plans} resections ({Simulations} simulations)"
    assert words.format(**found) in said
    assert found["ShareFree"] == 1.0
    assert found["Area"] == pytest.approx(about["Foci"][0]["Area"], abs=0.01)
    assert np.linalg.norm(np.subtract(found["Centre"], about["Foci"][0]["Centre"])) < 3.0
    table = read_table(result(layout, "desc-outcome.tsv", "least"))
    assert list(table["share_free"]) == [0.0, 1.0]
    assert table["removed_cm2"][1] == pytest.approx(found["Area"])
    after = nib.load(result(layout, "hemi-L_desc-after_pseizing.shape.gii", "least"))
    assert np.isnan(after.darrays[0].data).sum() > 5
    page = layout.cortex_page("default", "least").read_text()
    assert f"The smallest of {found['Plans']} resections that were tried: " in page
    line = ("--cut=-46,-6,0,-46,6,0", "--name", "cut")
    assert cli.main(["cortex", str(tmp_path), *SMALL, *line]) == 0
    table = read_table(result(layout, "desc-outcome.tsv", "cut"))
    assert list(table["surgery"]) == ["before", "after"]
    assert table["removed_cm2"][1] == 0.0
    assert json.loads(result(layout, "cortex.json", "cut").read_text())["CutDepth"] == 5.0


def test_patient_without_surface_is_refused(tmp_path, capsys):
    layout = write_fitted(tmp_path)
    for side in "LR":
        layout.pial(side).unlink()
    assert cli.main(["cortex", str(tmp_path), *SMALL]) == FAULT_OF_INPUT
    assert "no pial surface" in capsys.readouterr().err


def test_verify_ignores_the_files_of_the_command(fitted):
    found = list(_unrecorded_files({}, Roots(fitted.out, fitted.out), fitted))
    assert any("posterior.nc" in line for line in found)
    assert not any("/cortex/" in line for line in found)


def test_page_is_small_and_names_nothing_outside(fitted):
    page = fitted.cortex_page("default", "ball").read_text()
    assert len(page) < 15e6
    assert "Research use only" in page
    assert "http" not in page.replace("http-equiv", "")


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    from tests.report.test_browser import QUIET, SOFTWARE_GL

    with sync_playwright() as started:
        launched = started.chromium.launch(
            executable_path=CHROMIUM, args=[*QUIET, *SOFTWARE_GL], timeout=120_000
        )
        yield launched
        launched.close()


def opened_movie(browser, fitted, before="", **options):
    """Open the page; `before` runs before its script."""
    from tests.report.test_browser import Opened

    context = browser.new_context(offline=True, viewport={"width": 1200, "height": 900}, **options)
    context.set_default_timeout(120_000)
    context.add_init_script(before)
    opened = Opened(context.new_page())
    opened.page.goto(fitted.cortex_page("default", "ball").as_uri())
    opened.page.locator("html[data-movie]").wait_for()
    return opened


IN_BROWSER = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")


@pytest.mark.browser
@pytest.mark.slow
@IN_BROWSER
def test_seizure_plays_on_the_cortex(fitted, browser):
    from axe_playwright_python.sync_playwright import Axe

    for scheme in ("light", "dark"):
        seen = opened_movie(browser, fitted, color_scheme=scheme)
        found = Axe().run(seen.page).response["violations"]
        assert [(one["id"], one["nodes"][0]["html"]) for one in found] == []
    opened = opened_movie(browser, fitted)
    page = opened.page
    assert page.locator("#viewer").is_visible()
    assert not page.locator("#no-viewer").is_visible()

    def seizing(seconds):
        page.evaluate(
            "(t) => { const s = document.querySelector('#time');"
            "s.value = String(Math.round((t + 5) * 20));"
            "s.dispatchEvent(new Event('input')); }",
            seconds,
        )
        return page.evaluate("window.cortex.seizingArea()")

    assert seizing(-4.9) == 0.0
    areas = [seizing(t) for t in (3.0, 6.0, 9.0)]
    assert max(areas) > 0.8
    page.select_option("#surgery", "1")
    assert max(seizing(t) for t in (3.0, 6.0, 9.0)) < max(areas)
    page.select_option("#mode", "1")
    assert page.locator("#legend-1").is_visible()
    assert not page.locator("#legend-0").is_visible()
    before = page.locator("#clock").inner_text()
    page.locator("#play").click()
    page.locator("#clock").filter(has_not_text=before).wait_for()
    assert opened.errors == []
    assert [u for u in opened.requests if not u.startswith(("file:", "data:", "blob:"))] == []


# Difference of two pictures: largest of all pixels, and share of pixels that clearly differ.
DIFFERENCE = """
window.picture = (way, time, detail = 1) => {
  const { gl, state, paint } = window.cortex;
  state.time = time;
  paint(way, detail);
  const { drawingBufferWidth: width, drawingBufferHeight: height } = gl;
  const pixels = new Uint8Array(4 * width * height);
  gl.readPixels(0, 0, width, height, gl.RGBA, gl.UNSIGNED_BYTE, pixels);
  return pixels;
};
window.difference = (one, other) => {
  let largest = one.length === other.length ? 0 : 255, clear = 0;
  for (let i = 0; i < one.length; i += 4) {
    const by = Math.max(...[0, 1, 2].map((k) => Math.abs(one[i + k] - other[i + k])));
    largest = Math.max(largest, by);
    clear += by > 24;
  }
  return [largest, (4 * clear) / one.length];
};
"""
TIMES = (-4.0, 3.0, 6.0, 15.0)


@pytest.mark.browser
@pytest.mark.slow
@IN_BROWSER
def test_pixels_coloured_alone_are_those_of_the_triangles(fitted, browser):
    opened = opened_movie(browser, fitted, DIFFERENCE)
    page = opened.page
    assert "pixels" in page.evaluate("window.cortex.ways")
    for state in ("", "state.surgery = 1", "state.morph = 0.6", "state.mode = 1"):
        page.evaluate(f"() => {{ const {{ state }} = window.cortex; {state}; }}")
        for time in TIMES:
            largest, _ = page.evaluate(
                "(t) => difference(picture('pixels', t), picture('surface', t))", time
            )
            assert largest <= 3, (state, time)
            _, edges = page.evaluate(
                "(t) => difference(picture('pixels', t), picture('smooth', t))", time
            )
            assert edges < 0.02, (state, time)
    assert opened.errors == []


@pytest.mark.browser
@pytest.mark.slow
@IN_BROWSER
def test_scrubbing_changes_the_picture_where_cortex_seizes(fitted, browser):
    page = opened_movie(browser, fitted, DIFFERENCE).page
    page.evaluate("window.first = picture('pixels', -4.0)")
    scrub = """(t) => new Promise((done) => {
      const s = document.querySelector("#time");
      s.value = String(Math.round((t + 5) * 20));
      s.dispatchEvent(new Event("input"));
      requestAnimationFrame(() => requestAnimationFrame(() => done(window.cortex.state.time)));
    })"""
    drawn = page.evaluate("window.cortex.state.frames")
    assert page.evaluate(scrub, 6.0) == pytest.approx(6.0, abs=0.3)  # the slider begins later
    assert page.evaluate("window.cortex.state.frames") > drawn
    _, seizing = page.evaluate("difference(first, picture('pixels', 6.0))")
    assert 0.001 < seizing < 0.3
    largest, _ = page.evaluate("difference(first, picture('pixels', -4.0))")
    assert largest == 0
    # contacts and seizure alone change, not what lies behind
    corner = page.evaluate("[...picture('pixels', 6.0).slice(0, 3)]")
    assert corner == page.evaluate("[...first.slice(0, 3)]")


@pytest.mark.browser
@pytest.mark.slow
@IN_BROWSER
def test_without_textures_of_floats_triangles_are_drawn(fitted, browser):
    refused = """
    const given = WebGL2RenderingContext.prototype.getExtension;
    WebGL2RenderingContext.prototype.getExtension = function (name) {
      return name === "EXT_color_buffer_float" ? null : given.call(this, name);
    };"""
    opened = opened_movie(browser, fitted, DIFFERENCE + refused)
    page = opened.page
    assert page.evaluate("window.cortex.ways") == ["surface", "smooth"]
    page.evaluate("window.first = picture('surface', -4.0)")
    _, seizing = page.evaluate("difference(first, picture('surface', 6.0))")
    assert seizing > 0.001
    before = page.locator("#clock").inner_text()
    page.locator("#play").click()
    page.locator("#clock").filter(has_not_text=before).wait_for()
    assert opened.errors == []
