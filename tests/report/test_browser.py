"""Open the report in headless Chromium without network."""

import base64
import gzip
import re
import shutil

import nibabel as nib
import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright
from scipy.ndimage import map_coordinates

from virtualbrain.io.results import load_results
from virtualbrain.report.build import build_report
from virtualbrain.report.numbers import percent, show

CHROMIUM = shutil.which("chromium")
QUIET = (
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
SOFTWARE_GL = (
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--ignore-gpu-blocklist",
)
NO_GL = ("--disable-gpu", "--disable-3d-apis", "--disable-software-rasterizer")
VIEWS_MS = 120_000

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
]


class Opened:
    """A page with its requests and its errors."""

    def __init__(self, page) -> None:
        self.page = page
        self.errors: list[str] = []
        self.requests: list[str] = []
        page.on("console", self._record)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", lambda request: self.requests.append(request.url))

    def _record(self, message) -> None:
        if message.type == "error":
            self.errors.append(message.text)

    def state(self, name: str):
        return self.page.evaluate(f"window.report.state.{name}")


@pytest.fixture(scope="module")
def report(make_patient, tmp_path_factory):
    out = make_patient(priors=("default",))
    folder = tmp_path_factory.mktemp("browser")
    return build_report(load_results(out, "01", ["default"]), folder / "report.html")


@pytest.fixture(scope="module")
def playwright():
    with sync_playwright() as started:
        yield started


@pytest.fixture(scope="module")
def browser(playwright):
    launched = playwright.chromium.launch(
        executable_path=CHROMIUM, args=[*QUIET, *SOFTWARE_GL], timeout=120_000
    )
    yield launched
    launched.close()


def visit(browser, path, width=1440, **options) -> Opened:
    context = browser.new_context(
        offline=True, viewport={"width": width, "height": 900}, accept_downloads=True, **options
    )
    context.set_default_timeout(60_000)
    opened = Opened(context.new_page())
    opened.page.goto(path.as_uri())
    return opened


@pytest.fixture
def visiting(browser):
    """Open pages that are closed after the test."""
    pages = []

    def visited(path, width=1440, **options) -> Opened:
        pages.append(visit(browser, path, width, **options))
        return pages[-1]

    yield visited
    for one in pages:
        one.page.context.close()


@pytest.fixture(scope="module")
def opened(browser, report):
    visited = visit(browser, report)
    visited.page.locator("html[data-views]").wait_for(timeout=VIEWS_MS)
    return visited


def test_the_views_start_without_network_requests(opened):
    assert opened.page.locator("html").get_attribute("data-views") == "ready"
    assert opened.errors == []
    outside = [u for u in opened.requests if not u.startswith(("file:", "data:", "blob:"))]
    assert outside == []
    assert not opened.page.locator("#static-images").is_visible()


def test_a_region_chosen_in_the_table_is_marked_everywhere(opened):
    page = opened.page
    before = page.evaluate("[...window.report.views.slices.scene.crosshairPos]")
    angle = page.evaluate("window.report.views.mesh.scene.renderAzimuth")
    button = page.locator("#zones .table tbody tr").nth(4).locator(".pick")
    name = button.inner_text()
    button.click()
    assert page.locator("#inspector h2").inner_text() == name
    assert page.locator("#region option:checked").inner_text() == name
    assert button.get_attribute("aria-pressed") == "true"
    assert page.evaluate("[...window.report.views.slices.scene.crosshairPos]") != before
    assert page.evaluate("window.report.views.mesh.scene.renderAzimuth") != angle
    assert page.locator("#strongest h3").inner_text().endswith(name)
    page.keyboard.press("Escape")
    assert page.locator("#inspector").is_hidden()


def test_a_region_can_be_chosen_in_a_chart_and_in_the_matrix(opened):
    page = opened.page
    row = page.locator("#zones svg [data-region]").nth(2)
    row.focus()
    page.keyboard.press("Enter")
    assert opened.state("region") == int(row.get_attribute("data-region"))
    box = page.locator("#matrix img").bounding_box()
    n = page.locator("#region option").count() - 1
    page.locator("#matrix img").click(position={"x": 3, "y": box["height"] * 10.5 / n})
    assert opened.state("region") == 10
    page.keyboard.press("Escape")


def test_the_region_is_painted_in_the_3d_view(opened):
    page = opened.page
    page.locator("#region").select_option(index=3)
    colours = page.evaluate(
        """(() => {
          const nv = window.report.views.mesh;
          const chosen = (m) => { let n = 0; const c = m.rgba255;
            for (let i = 0; i < c.length; i += 4) n += c[i] === 209 && c[i + 1] === 73; return n; };
          return nv.meshes.map(chosen).reduce((a, b) => a + b, 0); })()"""
    )
    assert colours > 20
    page.keyboard.press("Escape")


def test_the_slider_shows_the_course_of_the_seizure(opened):
    page = opened.page
    page.locator("#time").fill("0")
    early = page.locator("#recruited").inner_text()
    page.locator("#time").fill("100")
    late = page.locator("#recruited").inner_text()
    assert float(early.split()[0]) < float(late.split()[0])
    page.locator("#play").click()
    assert page.locator("#play").inner_text() == "Pause"
    page.wait_for_timeout(900)
    assert 0 < float(page.locator("#time").input_value()) < 100
    page.locator("#play").click()
    assert page.locator("#play").inner_text() == "Play"


def test_a_plan_reduces_the_seizing_regions(opened):
    page = opened.page
    page.locator("#time").fill("100")
    whole = float(page.locator("#recruited").inner_text().split()[0])
    best = page.locator("#summary [data-plan]").first
    best.click()
    assert page.locator("#plan option:checked").inner_text().endswith(best.inner_text())
    assert float(page.locator("#recruited").inner_text().split()[0]) < whole
    page.locator("#plan").select_option("")


def test_regions_chosen_by_hand_show_the_row_of_their_subset(opened, make_patient):
    page = opened.page
    rows = load_results(make_patient(priors=("default",)), "01", ["default"]).main.subsets.rows
    by_set = {frozenset(row.region_names): row for row in rows}
    boxes = page.locator("#explore [data-choice]")
    labels = page.evaluate("""(() => {
        const data = JSON.parse(document.getElementById('embedded').text);
        return data.explore.regions.map((i) => data.regions[i].label || data.regions[i].name);
        })()""")
    assert boxes.count() == len(labels) == 6
    assert page.locator("#explore-none").is_visible()
    for chosen in ((0, 3), (0, 1, 5)):
        page.locator("#explore-clear").click()
        for place in chosen:
            boxes.nth(place).check()
        row = by_set[frozenset(labels[place] for place in chosen)]
        shown = page.locator("#explore-found").inner_text()
        assert page.locator("#explore-p").inner_text().startswith(percent(row.p_seizure_free))
        assert f"{row.seizing_after:.1f} of {row.seizing_before:.1f} seizing regions" in shown
        assert f"{show(row.volume_mm3 / 1000, 2)}\u00a0cm³ of grey matter" in shown
        assert ("takes" in shown) == bool(row.eloquent)
        assert page.locator("#recruited").inner_text().startswith(f"{row.seizing_after:.1f} ")
        assert page.locator("#plan option:checked").inner_text() == "chosen by hand"
        assert page.locator("#play").is_disabled()
    page.keyboard.press("Escape")
    assert page.locator("#explore-none").is_visible()
    assert page.locator("#explore :checked").count() == 0
    assert page.locator("#plan option:checked").inner_text() == "before surgery"


def test_a_region_that_was_clicked_can_be_taken_into_the_plan(opened):
    page = opened.page
    page.locator("#summary .leaders [data-region]").first.click()
    page.locator("#inspector .take").click()
    assert page.locator("#explore [data-choice='0']").is_checked()
    assert page.locator("#inspector .take").inner_text() == "Leave out of the plan"
    removed = """(() => {
        let n = 0;
        for (const m of window.report.views.mesh.meshes) { const d = m.rgba255;
          for (let i = 0; i < d.length; i += 4) n += d[i] === 120 && d[i + 1] === 124; }
        return n; })()"""
    page.locator("#explore [data-choice='1']").check()
    page.locator("#inspector .close").click()
    assert page.evaluate(removed) > 20
    page.keyboard.press("Escape")
    assert page.evaluate(removed) == 0


def test_tables_sort_and_filter(opened):
    page = opened.page
    table = page.locator("#zones .table")
    heading = table.locator("th", has_text="Observability")
    column = heading.evaluate("cell => cell.cellIndex + 1")
    cells = table.locator(f"tbody tr td:nth-child({column})")
    heading.locator("button").click()
    up = [float(t or "nan") for t in cells.evaluate_all("a => a.map(c => c.dataset.sort)")]
    assert up == sorted(up)
    assert heading.get_attribute("aria-sort") == "ascending"
    heading.locator("button").click()
    down = [float(t or "nan") for t in cells.evaluate_all("a => a.map(c => c.dataset.sort)")]
    assert down == sorted(up, reverse=True)
    table.locator("input").fill("hippocampus")
    shown = table.locator("tbody tr:visible .pick").all_inner_texts()
    assert shown
    assert all("hippocampus" in name.lower() for name in shown)
    assert table.locator(".count").inner_text().startswith(f"{len(shown)} of ")
    table.locator("input").fill("")


@pytest.mark.parametrize("section", ["zones", "surgery"])
def test_a_download_equals_the_file(opened, make_patient, section, tmp_path):
    opened.page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    links = opened.page.locator(f"#{section} .table a.download").all()
    assert links
    results = make_patient(priors=("default",))
    for link in links:
        with opened.page.expect_download() as waiting:
            link.click()
        name = waiting.value.suggested_filename
        saved = tmp_path / name
        waiting.value.save_as(saved)
        assert saved.read_bytes() == next(results.rglob(name)).read_bytes()


def test_all_controls_are_reachable_by_keyboard(opened):
    # every element that reacts to a click can be focused by the Tab key
    unreachable = opened.page.evaluate(
        """[...document.querySelectorAll(
             'a[href], button, select, input, summary, [role=button], .scroll, .rows, ' +
             'canvas:not([role=img])')]
           .filter((e) => e.tabIndex < 0).map((e) => e.outerHTML.slice(0, 80))"""
    )
    assert unreachable == []
    page = opened.page
    page.locator("#zones .table th button").first.focus()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.tagName") == "BUTTON"
    page.keyboard.press("Enter")
    assert page.locator("#zones .table th").nth(1).get_attribute("aria-sort") == "ascending"


@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (390, "dark")])
def test_axe_finds_no_violation(visiting, report, width, scheme):
    page = visiting(report, width, color_scheme=scheme).page
    page.locator("html[data-views]").wait_for(timeout=VIEWS_MS)
    found = Axe().run(page).response["violations"]
    assert [(one["id"], one["nodes"][0]["html"]) for one in found] == []


@pytest.mark.parametrize("width", [1440, 1024])
def test_the_first_screen_shows_the_summary(visiting, report, width):
    page = visiting(report, width).page
    for words in ("Where do the seizures start?", "What to resect?", "Can the fit be trusted?"):
        box = page.get_by_text(words, exact=True).first.bounding_box()
        assert box["y"] + box["height"] < 900, words
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_without_javascript_tables_and_static_images_are_shown(visiting, report):
    opened = visiting(report, java_script_enabled=False)
    page = opened.page
    assert page.locator("#static-images .slice img").count() == 6
    assert page.locator("#static-images img").first.is_visible()
    assert page.locator("#zones .table tbody tr").count() == 82
    assert page.locator("#zones .table tbody tr").first.is_visible()
    assert page.locator("#surgery svg .plan").count() > 10
    assert page.locator("[data-table=subsets] tbody tr").count() == 6 + 15
    assert page.locator("[data-table=subsets] tbody tr").first.is_visible()
    assert not page.locator("#explore").is_visible()
    assert not page.locator("#viewer").is_visible()
    assert opened.errors == []


def test_without_webgl_static_images_are_shown(playwright, report):
    launched = playwright.chromium.launch(executable_path=CHROMIUM, args=[*QUIET, *NO_GL])
    opened = visit(launched, report)
    page = opened.page
    page.locator("#static-images img").first.wait_for(state="visible")
    assert page.locator("#viewer").count() == 0
    page.locator("#zones .pick").first.click()
    assert page.locator("#inspector").is_visible()
    assert opened.errors == []
    launched.close()


@pytest.mark.parametrize("width", [390, 720])
def test_a_phone_needs_no_horizontal_scroll(visiting, report, width):
    page = visiting(report, width).page
    page.locator("html[data-views]").wait_for(timeout=VIEWS_MS)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_dark_scheme_is_followed_and_readable(visiting, report):
    page = visiting(report, color_scheme="dark").page
    assert sum(_rgb(page, "body", "backgroundColor")) < 150
    for selector in ("body", ".caption", ".pick", ".research", "td", ".answers dd"):
        assert sum(_rgb(page, selector, "color")) > 350, selector


def _rgb(page, selector, name):
    text = page.evaluate(f"getComputedStyle(document.querySelector('{selector}')).{name}")
    return [float(part) for part in re.findall(r"[\d.]+", text)[:3]]


def test_slices_change_their_side_and_say_so(opened):
    page = opened.page
    words, switch = page.locator("#convention-words"), page.locator("#convention")
    radiological = "window.report.views.slices.opts.isRadiologicalConvention"
    where = """(() => {
        const images = document.querySelector('#static-images');
        images.style.display = 'block';
        const one = document.querySelector('.slice');
        const at = (s) => one.querySelector(s).getBoundingClientRect().left;
        const found = [at('.side-left'), at('.side-right')];
        const turned = getComputedStyle(one.querySelector('img')).transform;
        images.style.display = '';
        return [...found, turned]; })()"""
    left, right, turned = page.evaluate(where)
    assert left < right
    assert turned == "none"
    assert "left is on the left (neurological" in words.inner_text()
    switch.select_option("radiological")
    assert page.evaluate(radiological) is True
    left, right, turned = page.evaluate(where)
    assert left > right
    assert turned.startswith("matrix(-1,")
    assert "left is on the right (radiological" in words.inner_text()
    switch.select_option("neurological")
    assert page.evaluate(radiological) is False


def electrode_slice(page, electrode, convention="neurological"):
    """Choose an electrode and return its picture as grey levels and colours, (rows, columns, 4)."""
    page.locator("#convention").select_option(convention)
    page.locator("#electrode").select_option(electrode)
    page.locator(f"#electrode-slice[data-shown='{electrode}']").wait_for()
    width, height, values = page.evaluate(
        """() => { const c = document.querySelector("#electrode-slice canvas");
        const data = c.getContext("2d").getImageData(0, 0, c.width, c.height).data;
        return [c.width, c.height, [...data]]; }"""
    )
    return np.array(values, dtype=float).reshape(height, width, 4)


def unpacked(text: str) -> nib.Nifti1Image:
    return nib.Nifti1Image.from_bytes(gzip.decompress(base64.b64decode(text)))


def test_a_slice_along_an_electrode_shows_the_t1_on_the_right_side(opened):
    page = opened.page
    scene = page.evaluate("JSON.parse(document.getElementById('embedded').textContent).scene")
    t1, labels = unpacked(scene["t1"]), unpacked(scene["labels"])
    electrode = scene["contacts"][0]["electrode"]
    points = [np.array(c["xyz"]) for c in scene["contacts"] if c["electrode"] == electrode]
    picture = electrode_slice(page, electrode)
    right = (points[-1] - points[0]) / np.linalg.norm(points[-1] - points[0])
    right *= np.sign(right[0])  # the electrodes of the test patient run from side to side
    up = np.array([0.0, 0.0, 1.0]) - right[2] * right
    up /= np.linalg.norm(up)
    middle = (points[0] + points[-1]) / 2
    ends = np.array(
        [t1.affine[:3, 3], t1.affine[:3, 3] + (np.array(t1.shape) - 1) * np.diag(t1.affine)[:3]]
    )
    corners = np.array(np.meshgrid(*ends.T)).reshape(3, -1).T - middle
    left_mm, top_mm = (corners @ right).min(), (corners @ up).max()
    rows, columns = (a.ravel() for a in np.indices(picture.shape[:2]))
    places = middle + np.outer(left_mm + 0.5 * columns, right) + np.outer(top_mm - 0.5 * rows, up)
    voxels = np.linalg.solve(t1.affine, np.c_[places, np.ones(len(places))].T)[:3]
    grey = map_coordinates(t1.get_fdata(), voxels, order=1).reshape(picture.shape[:2])
    outside = map_coordinates(labels.get_fdata(), voxels, order=0).reshape(grey.shape) == 0
    same = np.abs(picture[..., 0] - grey) <= 2
    assert outside.mean() > 0.3
    assert same[outside].mean() > 0.9  # letters, names and contacts are drawn over the rest
    mirrored = electrode_slice(page, electrode, "radiological")
    page.locator("#convention").select_option("neurological")
    flipped = (np.abs(mirrored[:, ::-1, 0] - grey) <= 2)[outside]
    assert flipped.mean() > 0.9


def test_letters_in_3d_follow_the_view(opened):
    page = opened.page
    seen, across, deep = {}, {}, {}
    for view in ("left", "right", "top", "bottom", "front"):
        page.locator(f"[data-view={view}]").click()
        first, last = page.locator(".side-first"), page.locator(".side-last")
        seen[view] = first.inner_text(), last.inner_text()
        across[view], deep[view] = page.evaluate(STEP_TO_THE_RIGHT)
    assert seen["left"] == ("L", "")
    assert seen["right"] == ("R", "")
    assert deep["left"] > 0 > deep["right"]  # the left side is nearer in the view from the left
    for view in ("top", "bottom", "front"):
        assert seen[view] == (("L", "R") if across[view] > 0 else ("R", "L")), view


# steps on the screen, to the right and away, of a step to the patient's right
STEP_TO_THE_RIGHT = """(() => {
    const nv = window.report.views.mesh, {renderAzimuth, renderElevation} = nv.scene;
    const [m] = nv.calculateMvpMatrix(null, [0, 0, 100, 100], renderAzimuth, renderElevation);
    return [m[0], m[2]]; })()"""


def test_a_click_on_the_cortex_chooses_a_region_of_that_side(opened):
    page = opened.page
    box = page.locator("#gl-mesh").bounding_box()
    for side in ("left", "right"):
        page.locator(f"[data-view={side}]").click()
        middle = {"x": box["width"] / 2, "y": box["height"] / 2}
        page.locator("#gl-mesh").click(position=middle)
        assert page.locator("#inspector h2").inner_text().startswith(f"{side} ")
        assert "Centre (mm)" in page.locator("#inspector").inner_text()
        page.keyboard.press("Escape")


def test_electrodes_are_named_in_3d_and_the_crosshair_has_a_place(opened):
    page = opened.page
    page.locator("[data-view=top]").click()
    names = page.locator(".electrode").all_inner_texts()
    contacts = page.evaluate("JSON.parse(document.getElementById('embedded').text).scene.contacts")
    assert sorted(names) == sorted({contact["electrode"] for contact in contacts})
    right = page.evaluate(
        """[...document.querySelectorAll('.electrode')].map((e) => parseFloat(e.style.left))"""
    )
    shown = dict(zip(names, right, strict=True))
    far = {c["electrode"]: c["xyz"][0] for c in contacts}
    assert shown[max(far, key=far.get)] > shown[min(far, key=far.get)]
    page.locator("#region").select_option(index=5)
    assert re.search(r"Crosshair: .* mm", page.locator("#place").inner_text())
    page.keyboard.press("Escape")


def test_the_summary_fills_the_first_two_printed_pages(visiting, report, tmp_path):
    page = visiting(report).page
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 695, "height": 1013})  # A4 within its margins
    assert not page.locator(".bar").is_visible()
    assert page.locator(".research-line").is_visible()
    assert page.locator("#static-images img").first.is_visible()
    brain = page.locator("#brain").bounding_box()
    top = page.locator("#summary").bounding_box()["y"]
    assert 1.2 * 1013 < brain["y"] + brain["height"] - top < 2 * 1013  # cards break across pages
    assert page.evaluate("getComputedStyle(document.querySelector('#brain')).breakAfter") == "page"


def test_printed_text_has_nine_points_and_no_table_is_cut(visiting, report):
    page = visiting(report).page
    page.locator("html[data-views]").wait_for(timeout=VIEWS_MS)
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 695, "height": 1013})
    small = page.evaluate(
        """[...document.querySelectorAll('main *')].filter((e) => {
             const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
             if (!own || e.closest('svg') || !e.checkVisibility()) return false;
             return parseFloat(getComputedStyle(e).fontSize) < 12; })
           .map((e) => e.tagName + '.' + e.className)"""
    )
    assert small == []
    cut = """[...document.querySelectorAll('main table, main figure, .rows-grid')].filter((e) =>
        e.checkVisibility() && e.getBoundingClientRect().right > innerWidth + 1
        && (e.closest('.table') === null || e.closest('.unbroken') || innerWidth > 1000))
        .map((e) => e.tagName + '.' + e.className)"""
    assert page.evaluate(cut) == []
    page.set_viewport_size({"width": 1018, "height": 690})  # wide tables are printed landscape
    assert page.evaluate(cut) == []


def test_hostile_names_do_not_run(visiting, make_patient, tmp_path):
    out = make_patient(hostile=True, priors=("default",))
    path = build_report(load_results(out, "01", ["default"]), tmp_path / "hostile.html")
    opened = visiting(path)
    dialogs: list[str] = []
    opened.page.on("dialog", lambda dialog: dialogs.append(dialog.message))
    opened.page.locator("html[data-views]").wait_for(timeout=VIEWS_MS)
    opened.page.locator("#region").select_option(label="<script>alert(1)</script>")
    assert opened.page.locator("#inspector h2").inner_text() == "<script>alert(1)</script>"
    assert dialogs == []
    assert opened.errors == []
