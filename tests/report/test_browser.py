"""Open the report in headless Chromium without network."""

import shutil

import pytest
from playwright.sync_api import sync_playwright

from virtualbrain.io.results import load_results
from virtualbrain.report.build import build_report

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
             'a[href], button, select, input, summary, [role=button], .scroll, .rows, canvas')]
           .filter((e) => e.tabIndex < 0).map((e) => e.outerHTML.slice(0, 80))"""
    )
    assert unreachable == []
    page = opened.page
    page.locator("#zones .table th button").first.focus()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.tagName") == "BUTTON"
    page.keyboard.press("Enter")
    assert page.locator("#zones .table th").nth(1).get_attribute("aria-sort") == "ascending"


def test_text_has_enough_contrast(opened):
    ratios = opened.page.evaluate(
        """(() => {
          const lum = (c) => { const v = c.map((x) => { x /= 255; return x <= .03928 ? x / 12.92
              : ((x + .055) / 1.055) ** 2.4; });
              return .2126 * v[0] + .7152 * v[1] + .0722 * v[2]; };
          const parse = (s) => s.match(/[\\d.]+/g).map(Number);
          const ground = (e) => { while (e) { const c = parse(getComputedStyle(e).backgroundColor);
              if (c.length < 4 || c[3] > 0.5) return c.slice(0, 3); e = e.parentElement; }
              return [255, 255, 255]; };
          return ['.caption', '.sub', '.research', '.chip', '.pick', '.facts', 'td', 'summary',
              '.rows-head', '.labels span', 'footer', '.missing'].map((s) => {
            const e = document.querySelector(s); if (!e) return [s, 21];
            const a = lum(parse(getComputedStyle(e).color).slice(0, 3)), b = lum(ground(e));
            return [s, (Math.max(a, b) + .05) / (Math.min(a, b) + .05)]; }); })()"""
    )
    assert all(ratio >= 4.5 for _, ratio in ratios), ratios


@pytest.mark.parametrize("width", [1440, 1024])
def test_the_first_screen_shows_the_summary(browser, report, width):
    page = visit(browser, report, width).page
    for words in ("Where do the seizures start?", "What to resect?", "Can the fit be trusted?"):
        box = page.get_by_text(words, exact=True).first.bounding_box()
        assert box["y"] + box["height"] < 900, words
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_without_javascript_tables_and_static_images_are_shown(browser, report):
    opened = visit(browser, report, java_script_enabled=False)
    page = opened.page
    assert page.locator("#static-images .slice img").count() == 6
    assert page.locator("#static-images img").first.is_visible()
    assert page.locator("#zones .table tbody tr").count() == 82
    assert page.locator("#zones .table tbody tr").first.is_visible()
    assert page.locator("#surgery svg .plan").count() > 10
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


def test_the_summary_is_the_first_printed_page(browser, report, tmp_path):
    page = visit(browser, report).page
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 695, "height": 1025})  # A4 within its margins
    assert not page.locator(".bar").is_visible()
    assert page.locator(".research-line").is_visible()
    box = page.locator("#summary").bounding_box()
    assert box["height"] < 1025
    assert page.locator("#static-images img").first.is_visible()
    assert (
        page.evaluate("getComputedStyle(document.querySelector('#summary')).breakAfter") == "page"
    )


def test_hostile_names_do_not_run(browser, make_patient, tmp_path):
    out = make_patient(hostile=True, priors=("default",))
    path = build_report(load_results(out, "01", ["default"]), tmp_path / "hostile.html")
    opened = visit(browser, path)
    dialogs: list[str] = []
    opened.page.on("dialog", lambda dialog: dialogs.append(dialog.message))
    opened.page.locator("html[data-views]").wait_for(timeout=VIEWS_MS)
    opened.page.locator("#region").select_option(label="<script>alert(1)</script>")
    assert opened.page.locator("#inspector h2").inner_text() == "<script>alert(1)</script>"
    assert dialogs == []
    assert opened.errors == []
