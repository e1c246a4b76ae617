"""Check the HTML of the report as text."""

import base64
import getpass
import html.parser
import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace

import pytest

from virtualbrain.anatomy.spoken_names import spoken_name
from virtualbrain.io.results import load_results
from virtualbrain.report import assets
from virtualbrain.report.build import MAX_BYTES, build_report, page_content
from virtualbrain.report.numbers import percent
from virtualbrain.surgery.candidates import DONE


class Page(html.parser.HTMLParser):
    """Collects tags with attributes, text outside scripts, and downloads."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self._silent = 0
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._silent += tag in ("script", "style")

    def handle_endtag(self, tag):
        self._silent -= tag in ("script", "style")

    def handle_data(self, data):
        if not self._silent:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def downloads(self) -> dict[str, str]:
        links = [attrs for tag, attrs in self.tags if tag == "a" and "download" in attrs]
        return {
            attrs["download"]: base64.b64decode(attrs["href"].split(",", 1)[1]).decode("utf-8")
            for attrs in links
        }


@pytest.fixture(scope="module")
def build(make_patient, tmp_path_factory):
    pages: dict[str, str] = {}

    def built(priors=("default",), **choices) -> str:
        key = repr((priors, sorted(choices.items())))
        if key not in pages:
            out = make_patient(priors=priors, **choices)
            results = load_results(out, choices.get("label", "01"), priors)
            pages[key] = build_report(
                results, tmp_path_factory.mktemp("page") / "report.html"
            ).read_text(encoding="utf-8")
        return pages[key]

    return built


def test_every_section_is_there(build):
    page = Page(build())
    sections = [attrs.get("id") for tag, attrs in page.tags if tag == "section"]
    assert sections == [
        "summary",
        "brain",
        "recording",
        "connectome",
        "zones",
        "explanations",
        "surgery",
        "trust",
        "methods",
    ]
    assert "Research use only · not a medical device" in page.text


def test_nothing_is_fetched_and_the_size_is_limited(build):
    text = build()
    assert len(text.encode()) < MAX_BYTES
    page = Page(text)
    for tag, attrs in page.tags:
        for name in ("src", "href", "action", "poster", "data", "srcset"):
            value = attrs.get(name)
            assert value is None or value.startswith(("data:", "#")), (tag, value[:80])
    assert not re.search(r"@import|url\((?!data:)", text[: text.index("</style>")])
    policy = next(a["content"] for t, a in page.tags if a.get("http-equiv"))
    assert policy.startswith("default-src 'none';")
    assert "unsafe-eval" not in policy
    assert "'unsafe-inline'" not in policy.split("script-src")[1].split(";")[0]


def test_every_download_is_the_file_byte_by_byte(build, make_patient):
    downloads = Page(build()).downloads()
    files = {p.name: p for p in make_patient(priors=("default",)).rglob("*.tsv")}
    wanted = {"zones.tsv", "outcomes.tsv", "sub-01_desc-contacts.tsv", "sub-01_desc-channels.tsv"}
    assert wanted <= set(downloads)
    for name, text in downloads.items():
        assert text == files[name].read_bytes().decode("utf-8"), name


def test_table_cells_equal_the_file_to_the_last_digit(build, make_patient):
    out = make_patient(priors=("default",))
    lines = (out / "sub-01/inference/default/zones.tsv").read_text().splitlines()
    column = lines[0].split("\t").index("p_ez")
    titles = {attrs.get("title") for tag, attrs in Page(build()).tags if tag == "td"}
    for line in lines[1:]:
        assert repr(float(line.split("\t")[column])) in titles


def test_the_same_results_give_the_same_bytes(build, make_patient, tmp_path):
    results = load_results(make_patient(priors=("default",)), "01", ["default"])
    again = build_report(results, tmp_path / "again.html").read_text(encoding="utf-8")
    assert again == build()


def test_hostile_names_are_shown_as_text(build):
    text = build(hostile=True)
    page = Page(text)
    assert "<script>alert(1)</script>" in page.text
    assert '"><img src=x onerror=alert(2)>' in page.text
    assert not any(attrs.get("src") == "x" for tag, attrs in page.tags)
    assert not any(name.startswith("on") for _, attrs in page.tags for name in attrs)
    assert sum(tag == "script" for tag, _ in page.tags) == 3
    assert text.count("alert(1)</script>") == 0


@pytest.mark.parametrize("label", ["<script>", '"><img src=x>'])
def test_a_hostile_label_is_shown_as_text(build, label):
    page = Page(build(label=label, images=False, n_regions=12, n_channels=12))
    assert f"Patient sub-{label}" in page.text
    assert not any(tag == "img" and attrs.get("src") == "x" for tag, attrs in page.tags)


def test_the_page_holds_no_path_and_no_user(build, make_patient):
    text = build().replace(assets.viewer(), "")  # whose own code has a /home/web_user
    out = make_patient(priors=("default",))
    visible = Page(text).text
    for secret in ("dr.alice", "/home/", str(out), str(out.parent)):
        assert secret not in text, secret
    name = getpass.getuser()
    assert not re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", visible)


def test_a_failed_fit_shows_no_ranking_and_its_reason(build):
    page = Page(build(verdict="do-not-use", images=False))
    assert "Do not use" in page.text
    assert "No ranking of regions or plans is shown as a finding" in page.text
    assert "R-hat of x0 is 1.62" in page.text
    assert "Ranked regions." not in page.text
    assert "Ranked plans." not in page.text
    classes = [attrs.get("class") or "" for _, attrs in page.tags]
    assert not any(name.split()[:1] in (["leaders"], ["front"]) for name in classes)
    zones = (
        build(verdict="do-not-use", images=False)
        .split('data-table="zones"')[1]
        .split("</table>")[0]
    )
    names = re.findall(r'class="pick" data-region="\d+"[^>]*>([^<]+)<', zones)
    assert len(names) == 82
    assert names == sorted(names)


def test_conclusion_stimulation_and_next_electrode_are_shown(build):
    page = Page(build(n_regions=20, n_channels=24, n_plans=6, images=False)).text
    assert page.count("No plan is better than random plans of the same size.") == 2
    assert re.search(r"Doing plan \d helps\.", page)
    assert "no other region starts seizures (54 %)" in page
    assert "A1-A2 2 70 %" in page
    assert "Where another electrode would help" in page
    assert "30 % 10 % 0.0200 21 %" in page
    withheld = Page(
        build(verdict="do-not-use", n_regions=20, n_channels=24, n_plans=6, images=False)
    )
    assert "No plan is better" not in withheld.text
    assert "Where another electrode would help" not in withheld.text


def test_explanations_are_in_words_and_absent_without_a_usable_fit(build):
    choices = {"n_regions": 20, "n_channels": 24, "n_plans": 6, "images": False}
    page = Page(build(**choices)).text
    assert "2 explanations together hold at least 95 % of the probability." in page
    assert "The first has 70 %, the second 27 %." in page
    assert "Effective number of explanations: 1.8 ± 0.04" in page
    assert "seizes at 2.5 s here, seizes in only 20 % of the draws in the first" in page
    assert "A1-A2 sees it best" in page
    assert page.count("Not excluded") == 2
    assert "holds all regions of “starts in”: 6 zones." in page
    for other in ({"verdict": "do-not-use"}, {"skip": ["explanations"]}):
        withheld = build(**other, **choices)
        assert "Effective number of explanations" not in withheld
        assert "#explanations" not in withheld


def test_the_electrode_that_carries_the_answer_is_named(build, make_patient):
    choices = {"n_regions": 20, "n_channels": 24, "n_plans": 6, "images": False}
    first = load_results(make_patient(**choices), "01", ("default",)).main.ablation.rows[0]
    page, region = Page(build(**choices)).text, spoken_name(first.region)
    assert "Electrode A carries most of the answer: without it, P(EZ) of" in page
    assert f"{region} falls by 0.75 ± 0.05." in page
    assert "1 of 2 parts change a P(EZ) clearly." in page
    assert f"{region[0].upper()}{region[1:]} is no longer first without electrode A." in page
    assert "The smallest plan changes without electrode A." in page
    assert "holds the EZ in at least 35 % of the draws" in page
    assert "+0.020 ± 0.03 (not clear)" in page
    assert "seconds 10 s" in page


def test_the_value_of_one_more_seizure_is_in_plain_words(build):
    page = Page(build(n_regions=20, n_channels=24, n_plans=6, images=False)).text
    assert "One more recorded seizure is expected" in page
    assert "holds the whole EZ from 55 % to 58 % (standard error 1 %)." in page
    assert "The patient's own connectome in place of the group's is expected" in page
    assert "from 55 % to 61 % (standard error 2 %)." in page
    assert "further electrodes are in" in page  # their values are not shown


def test_what_the_recording_fixes_is_in_plain_words(build, make_patient):
    choices = {"n_regions": 20, "n_channels": 24, "n_plans": 6, "images": False}
    rows = load_results(make_patient(**choices), "01", ("default",)).main.identifiability.rows
    page = Page(build(**choices)).text
    first, second = (spoken_name(row.region) for row in rows if row.kind == "role")
    assert "fixes tau0 best (contraction 0.94 ± 0.01) and K least (0.21 ± 0.02)." in page
    assert f"The combination fixed least: K up, x0 of {first} down (contraction −1.20" in page
    assert "it is less certain than before the recording" in page
    assert f"Where {first} starts the seizure, x0 is above the threshold; how far above," in page
    assert "does not clearly say (contraction at most 0.05 ± 0.10)." in page
    assert f"A larger K goes with a smaller x0 of {second}: -0.024 ± 0.002 for each unit" in page
    assert "the equations predict -0.028." in page
    assert "What the recording fixes" not in build(**choices, verdict="do-not-use")


def test_other_connectomes_are_in_plain_words(build, make_patient):
    choices = {"n_regions": 20, "n_channels": 24, "n_plans": 6, "images": False}
    first = load_results(make_patient(**choices), "01", ("default",)).main.other_connectomes.rows[0]
    page = Page(build(**choices)).text
    assert (
        "2 fits, each with the connectome of another person or group: no region is clearly more "
        f"probable than {spoken_name(first.region)} in 1; its P(EZ) is 40 % to 97 %; the most "
        "probable zone is the same in 1; the plan of the own connectome holds the EZ in 90 % "
        "of the draws (90 % of its own)." in page
    )
    assert "2 fits, each with a variant of the own connectome" in page
    assert "1 fit, repeated with the own connectome" in page
    assert "A repeated fit moves all P(EZ) together by 0.10 regions." in page
    assert "alone (less than twice that): random factors on connections without the EZ" in page
    assert (
        "Changes that move it: random factors on all connections (0.50); connectomes of other "
        "persons or groups (0.35)." in page
    )
    assert "The more the connections between the EZ and recruited regions change, at" in page
    assert "(partial rank correlation 0.80 over 6 connectomes)" in page
    assert "with other connectomes (for research)" not in build(**choices, verdict="do-not-use")


def test_identifiability_of_an_earlier_fit_or_a_damaged_table_is_not_shown(make_patient, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(make_patient(n_regions=20, n_channels=24, n_plans=6, images=False), out)
    folder = out / "sub-01" / "inference" / "default"
    table, sidecar = folder / "identifiability.tsv", folder / "identifiability.json"
    whole = table.read_text(encoding="utf-8")
    table.write_text(whole.replace("contraction_error", "other"), encoding="utf-8")
    damaged = load_results(out, "01", ("default",)).main
    assert damaged.identifiability is None
    assert "contraction_error" in damaged.missing["identifiability"]
    table.write_text(whole, encoding="utf-8")
    sidecar.write_text(json.dumps({"Posterior": "another"}), encoding="utf-8")
    old = load_results(out, "01", ("default",)).main
    assert old.identifiability is None
    assert "the table belongs to an earlier fit" in old.missing["identifiability"]


def test_an_ablation_of_an_earlier_fit_is_not_shown(make_patient, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(make_patient(n_regions=20, n_channels=24, n_plans=6, images=False), out)
    sidecar = out / "sub-01" / "inference" / "default" / "ablation.json"
    sidecar.write_text(json.dumps({"Posterior": "another"}), encoding="utf-8")
    results = load_results(out, "01", ("default",))
    assert results.main.ablation is None
    assert "the table belongs to an earlier fit" in results.main.missing["ablation"]


def test_every_probability_of_a_plan_has_its_interval(build):
    page = build().split('<section id="surgery"')[1].split("<section")[0]
    rows = re.findall(r"<tr>\s*<td class=\"number\".*?</tr>", page, flags=re.S)
    cells = re.findall(r">(&lt;|&gt;)?\d+ % ?([^<]*)<span class=\"meter\"", " ".join(rows))
    assert cells
    assert all(re.match(r"\(\d+–\d+\)", rest) for _, rest in cells)


def test_eloquent_regions_and_hypothesis_that_nobody_stated_are_not_denied(build, make_patient):
    results = load_results(make_patient(priors=("default",)), "01", ("default",))
    zones = results.main.zones
    silent = [replace(row, in_hypothesis=None) for row in zones.rows]
    plans = [replace(row, eloquent=None) for row in results.main.outcomes.rows]
    main = replace(
        results.main,
        zones=replace(zones, rows=tuple(silent)),
        outcomes=replace(results.main.outcomes, rows=tuple(plans), eloquent_stated=False),
    )
    page = page_content(replace(results, priors=(main,)))
    hypothesis = {row[-2].text for row in page["zones_view"].rows}
    assert hypothesis == {"not stated"}
    assert {plan.eloquent for plan in page["plans"]} == {"not stated"}


@pytest.mark.parametrize("images", [True, False])
def test_the_first_page_answers_the_questions(build, images):
    first = (build() if images else build(images=False)).split('<section id="brain"')[0]
    text = Page(first).text
    for question in (
        "Can the fit be trusted?",
        "Where do the seizures start?",
        "What to resect?",
        "What is not known?",
        "Where would another electrode go?",
    ):
        assert question in text, question
    assert re.search(r"Side (mostly )?(left|right)", text)
    assert "in synthetic patients right in 90 %" in text
    assert re.search(r"Clinical hypothesis (agrees on|only)", text)
    assert re.search(r"Would remain [\d.]+ of [\d.]+ seizing regions", text)
    assert re.search(r"Eloquent tissue (none of the stated regions|language)", text)
    assert "cm³ of grey matter, without white matter" in text
    assert re.search(r"\w+ \w+ \(\+21 %\): gain in P\(seizure-free\)", text)


def test_regions_have_names_that_people_say_and_their_labels(build):
    text = build()
    first = text.split('<section id="brain"')[0]
    assert "ctx-" not in Page(first).text
    names = re.findall(r'class="pick" data-region="\d+" title="([^"]*)">([^<]+)<', first)
    assert names
    assert all(spoken_name(label) == name for label, name in names)
    zones = text.split('data-table="zones"')[1].split("</table>")[0]
    assert "ctx-rh-insula" in Page(zones).text
    assert "right insula" in Page(zones).text


def test_the_same_regions_are_counted_once(build):
    text = Page(build()).text
    count = re.search(r"(\d+) of (\d+) regions have low observability", text)
    assert f"No channel sees {count[1]} of {count[2]} regions well." in text
    content = build().split('<section id="zones"')[1]
    rows = re.findall(r"<tr>(.*?)</tr>", content.split("<tbody>")[1].split("</tbody>")[0], re.S)
    assert len(rows) == int(count[2])


def test_p_ez_and_p_pz_are_at_most_one(build, make_patient):
    rows = load_results(make_patient(priors=("default",)), "01", ("default",)).main.zones.rows
    assert all(row.p_ez + row.p_pz <= 1 + 1e-9 for row in rows)
    assert "their sum is at most 100 %" in Page(build()).text.replace("\u00a0", " ")


def test_letters_mark_left_and_right_of_every_slice(build):
    brain = build().split('<section id="brain"')[1].split("</section>")[0]
    slices = re.findall(r'<figure class="slice">.*?</figure>', brain, flags=re.S)
    assert len(slices) == 6
    for one in slices:
        assert '<b class="side side-left">L</b><b class="side side-right">R</b>' in one
        assert re.search(r"z −?-?\d+ mm", one)
    assert "neurological convention" in brain
    assert "neurological convention" not in build(images=False)


def test_every_printed_page_names_patient_use_and_number(build):
    style = build(label="a1", images=False, n_regions=12, n_channels=12).split("</head>")[0]
    assert 'content: "sub-a1"' in style
    assert "Research use only" in style
    assert "counter(page)" in style
    assert 'content: "sub-__x_"' in assets.page_margins('"{x}')


@pytest.mark.parametrize("name", ["clinical hypothesis", "plan 0"])
def test_the_resection_that_was_done_is_compared_and_not_proposed(make_patient, tmp_path, name):
    results = load_results(make_patient(images=False), "01", ("default",))
    outcomes = results.main.outcomes
    rows = tuple(
        replace(row, candidate=DONE, rank=0.5) if row.candidate == name else row
        for row in outcomes.rows
    )
    main = replace(results.main, outcomes=replace(outcomes, rows=rows))
    results = replace(results, priors=(main,))
    content = page_content(results)
    assert DONE not in [plan.candidate for plan in content["best_plans"]]
    (done,) = [row for row in rows if row.candidate == DONE]
    text = Page(build_report(results, tmp_path / "a.html").read_text("utf-8")).text
    assert f"(done: {percent(done.p_seizure_free)})" in text
    assert done.sentence in text


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ("zones", "The table of zones is missing because"),
        ("outcomes", "The table of plans is missing because"),
        ("contacts", "The table of contacts is missing because"),
        ("posterior", "The prediction is missing because"),
        ("provenance", "The provenance is missing because"),
        ("t1", "The T1 is missing because"),
        ("diagnostics", "The list of diagnostics is missing because"),
    ],
)
def test_a_missing_part_is_replaced_by_its_reason(build, part, words):
    page = Page(build(skip=(part,), n_regions=20, n_channels=24, n_plans=6, images=part == "t1"))
    assert words in page.text
    assert "was not written" in page.text
    withheld = part == "diagnostics"  # no verdict: the section of explanations is left out
    assert len([1 for tag, _ in page.tags if tag == "section"]) == 9 - withheld


def test_an_empty_folder_still_gives_a_page(tmp_path):
    path = build_report(load_results(tmp_path, "01", ["default"]), tmp_path)
    page = Page(path.read_text(encoding="utf-8"))
    assert path == tmp_path / "sub-01.html"
    assert page.text.count("is missing because") >= 8
    assert "No verdict" in page.text


def test_several_priors_and_seizures_are_on_one_page(build):
    small = {"n_regions": 20, "n_channels": 24, "images": False}
    page = Page(build(priors=("default", "lesion"), n_seizures=2, **small))
    assert "Results of the same patient under each prior set." in page.text
    assert "Seizure 2" in page.text
    assert "Rank correlation with “default”" in page.text


MEASURED = r"""
import re, sys, time
from pathlib import Path
from virtualbrain.io.results import load_results
from virtualbrain.report.build import build_report
start = time.process_time()
build_report(load_results(sys.argv[1], "01", ["default"]), sys.argv[2])
# not ru_maxrss, which a child inherits from the process that forked it
peak = 1024 * int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1])
print(time.process_time() - start, peak)
"""


@pytest.mark.slow
def test_a_large_patient_is_built_in_time_and_memory(make_patient, tmp_path):
    out = make_patient(n_regions=86, n_channels=150, n_seizures=3, n_plans=200, resolution_mm=2)
    page = tmp_path / "large.html"
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, str(out), str(page)],
        capture_output=True,
        text=True,
        check=True,
    )
    seconds, peak = map(float, done.stdout.split())
    assert page.stat().st_size < MAX_BYTES
    assert peak < 2**30
    assert seconds < 30
