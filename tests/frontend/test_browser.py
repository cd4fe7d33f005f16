"""The page in a real browser, before a real service."""

from __future__ import annotations

import csv
import io
import json
import time
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from documents import written
from frontend.sites import count
from sources.memory import MemorySource, serving

VIEWS = {"overview": "#/", "data": "#/data", "preview": "#/preview?n=10", "runs": "#/runs", "pipeline": "#/pipeline"}


def test_the_whole_flow_by_mouse(site, look):
    page = look(site())
    expect(page.get_by_text("Nothing loaded yet.")).to_be_visible()

    page.get_by_role("link", name="See what it would load").click()
    expect(page.get_by_text("3 fetched: 3 new")).to_be_visible()
    expect(page.get_by_role("article", name="Record 1", exact=True)).to_contain_text("loaded_at")

    page.get_by_role("button", name="Run now").click()
    page.get_by_role("link", name="Overview").click()
    expect(page.get_by_role("region", name="The last run")).to_contain_text("100 fetched: 97 new, 3 rejected")
    expect(page.locator("#said")).to_have_text("Run succeeded. 100 fetched: 97 new, 3 rejected.")

    page.get_by_role("link", name="Data").click()
    expect(page.locator("tbody tr")).to_have_count(50)
    page.get_by_role("link", name="user_id").click()
    page.get_by_role("link", name="user_id").click()
    expect(page.locator("th[aria-sort=descending]")).to_contain_text("user_id")
    page.get_by_role("searchbox").fill("harbour")
    page.get_by_role("button", name="Search").click()
    page.get_by_role("button", name="Filters").click()
    page.get_by_role("textbox", name="user_id is exactly").fill("10")
    page.keyboard.press("Enter")
    expect(page.locator("tbody tr td:nth-child(2)").first).to_have_text("10")
    page.get_by_role("link", name="Remove the filter user_id = 10").click()
    expect(page).to_have_url(f"{page.url.split('#')[0]}#/data?q=harbour&sort=-user_id")

    page.get_by_role("link", name="Runs", exact=True).click()
    page.locator("tbody tr").first.get_by_role("link").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Run 20")
    expect(page.locator(".reject")).to_have_count(3)
    page.get_by_text("The record as it came").first.click()
    expect(page.locator(".reject pre").first).to_be_visible()
    page.get_by_role("button", name="Load them again").click()
    expect(page.locator("#said")).to_have_text("Run succeeded. 3 fetched: 3 rejected.")


def test_the_whole_flow_by_keyboard(site, look):
    page = look(site())
    expect(page.get_by_text("Nothing loaded yet.")).to_be_visible()

    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    tab_to(page, "See what it would load")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Preview")).to_be_visible()
    expect(page.locator("main")).to_be_focused()

    page.keyboard.press("Shift+Tab")
    tab_to(page, "Run now", backwards=True)
    page.keyboard.press("Enter")
    expect(page.locator("#said")).to_have_text("Run succeeded. 100 fetched: 97 new, 3 rejected.")
    expect(page.get_by_role("button", name="Run now")).to_be_focused()

    tab_to(page, "Data")
    page.keyboard.press("Enter")
    expect(page.locator("tbody tr")).to_have_count(50)
    tab_to(page, "Export")
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="What is shown: CSV")).to_be_visible()
    page.keyboard.press("Tab")
    page.keyboard.press("Escape")
    expect(page.get_by_role("link", name="What is shown: CSV")).to_be_hidden()
    expect(page.locator("summary", has_text="Export")).to_be_focused()
    tab_to(page, "Next")
    page.keyboard.press("Enter")
    expect(page.locator(".pager-place")).to_have_text("Rows 51 to 97 of 97")
    assert page.evaluate("document.activeElement.textContent") == "Next"

    page.goto(f"{page.url.split('#')[0]}#/")
    expect(page.locator(".bar")).to_have_count(1)
    page.locator(".bar").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Run 20")


def test_a_run_of_another_process_shows_within_a_second_and_can_be_cancelled(site, look, tmp_path):
    with serving(MemorySource([{"id": 1, "title": "one"}, {"id": 2, "title": "two"}], page_size=1)) as source:
        served = site(written(tmp_path, source.url))
        page = look(served)
        expect(page.get_by_text("Nothing loaded yet.")).to_be_visible()
        with source.held():
            elsewhere = served.run_elsewhere()
            source.wait_for_request()
            began = time.monotonic()
            expect(page.get_by_role("group", name="Run under way")).to_be_visible()
            # A second, and what asking takes on a busy machine.
            assert time.monotonic() - began < 1.5

            page.get_by_role("button", name="Cancel").click()
            expect(page.locator(".top .outcome")).to_have_text("cancelled")
        assert elsewhere.wait(20) == 1
    expect(page.get_by_role("region", name="The last run")).to_contain_text("Nothing was changed.")


@pytest.mark.console("ERR_FAILED")
def test_progress_shows_without_events_too(site, look, tmp_path):
    with serving(MemorySource([{"id": number} for number in range(6)], page_size=2)) as source:
        page = look(site(written(tmp_path, source.url)))
        page.route("**/events", lambda route: route.abort())
        with source.held():
            page.get_by_role("button", name="Run now").first.click()
            expect(page.get_by_role("group", name="Run under way")).to_contain_text("Reading")
        expect(page.locator("#said")).to_have_text("Run succeeded. 6 fetched: 6 new.")


GROUPS = [f"group-{number}" for number in range(30)]


@pytest.fixture
def divided(site, postgres, tmp_path):
    """A pipeline in thirty partitions, which three workers read; and its source."""
    schema = postgres.fresh_schema()
    records = [{"id": number, "title": f"post {number}", "group": GROUPS[number % 30]} for number in range(90)]
    with serving(MemorySource(records, page_size=2)) as source:
        document = written(
            tmp_path,
            source.url,
            extract={"partitions": {"param": "group", "values": GROUPS, "parallelism": 3}},
            load={"postgres": {"dsn": {"env": "POSTGRES_DSN"}, "schema": schema}},
        )
        yield site(document, POSTGRES_DSN=postgres.dsn()), source


def test_a_run_in_partitions_shows_how_far_each_is(divided, look):
    served, source = divided
    page = look(served)
    with source.held(after=1):
        page.get_by_role("button", name="Run now").first.click()
        expect(page.get_by_role("group", name="Run under way")).to_contain_text("0 of 30 partitions")
        run = served.get("etl/runs?limit=1")[0]["id"]
        page.goto(f"{served.url}/#/runs/{run}")
        table = page.get_by_role("table", name="Partitions").first
        expect(table.get_by_role("row")).to_have_count(1 + 3)  # those that somebody is at work on
        expect(table).to_contain_text("group=group-0")
        page.get_by_text("27 more").click()
        expect(page.get_by_role("row", name="group=group-29 waiting")).to_be_visible()
    expect(page.get_by_text("30 of 30 are complete.")).to_be_visible(timeout=60_000)
    page.get_by_text("30 more").click()
    expect(page.get_by_role("row", name="group=group-29 succeeded 3 2 1")).to_be_visible()


@pytest.mark.console("409")
def test_where_runs_in_partitions_are_asked_for_is_told(divided, look):
    served, _ = divided
    served.stop()
    served.environ = {**served.environ, "ETL_RUN_WITH": "kubectl annotate --overwrite etlpipeline/posts …"}
    served.start()

    page = look(served)
    page.get_by_role("button", name="Run now").first.click()

    expect(page.locator(".trouble-what").first).to_contain_text("does not start the workers of a run in partitions")
    expect(page.locator(".trouble-remedy").first).to_contain_text("kubectl annotate --overwrite etlpipeline/posts …")


@pytest.mark.parametrize(("width", "theme"), [(1280, "light"), (360, "dark")])
def test_axe_finds_nothing_in_the_partitions_of_a_run(divided, look, width, theme):
    axe = Path(__file__).parent / "node_modules/axe-core/axe.min.js"
    if not axe.is_file():
        pytest.skip("axe-core is not installed; run `npm ci --prefix tests/frontend`, or `make test`")
    served, source = divided
    source.failing["group-1"] = 99
    run = served.run()
    assert run["reason"] == "SourceFailed"

    page = look(served, f"#/runs/{run['id']}", width=width, color_scheme=theme)
    expect(page.get_by_role("row", name="group=group-1 failed")).to_be_visible()
    page.evaluate(axe.read_text())

    assert page.evaluate("() => axe.run({resultTypes: ['violations']}).then(({violations}) => violations)") == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_nothing_is_asked_while_the_tab_is_hidden(posts, look):
    page = look(posts)
    expect(page.locator(".figures")).to_be_visible()
    page.evaluate("Object.defineProperty(document, 'hidden', {configurable: true, get: () => true})")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    page.wait_for_timeout(1000)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.wait_for_timeout(2000)
    assert asked == []

    page.evaluate("Object.defineProperty(document, 'hidden', {configurable: true, get: () => false})")
    with page.expect_request("**/etl/runs?limit=1"):
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


@pytest.mark.console("ERR_CONNECTION_REFUSED", "ERR_EMPTY_RESPONSE", "ERR_CONNECTION_RESET", "502", "503")
def test_what_is_shown_stays_while_the_service_is_away_and_it_comes_back_by_itself(site, look):
    served = site()
    served.run()
    page = look(served, "#/data")
    expect(page.locator("tbody tr")).to_have_count(50)

    served.stop()

    expect(page.get_by_role("alert")).to_contain_text("The service does not answer. What you see is from")
    expect(page.locator("tbody tr")).to_have_count(50)
    page.get_by_role("link", name="Runs", exact=True).click()
    expect(page.get_by_role("heading", name="Runs")).to_be_visible()

    served.start()

    expect(page.locator("tbody tr")).to_have_count(1)
    expect(page.get_by_role("alert")).to_have_count(0)


@pytest.mark.console("401")
def test_a_token_is_asked_for_once_and_kept_for_the_tab(site, look):
    served = site(ETL_API_TOKEN="right", ETL_API_PROTECT="reads")
    page = look(served)

    page.get_by_role("textbox", name="Token").fill("wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_contain_text("That token was not accepted.")
    page.keyboard.press("Escape")
    expect(page.get_by_role("alert")).to_contain_text("A token is wanted.")
    page.get_by_role("button", name="Enter the token").click()
    page.get_by_role("textbox", name="Token").fill("right")
    page.get_by_role("button", name="Use it").click()
    expect(page.get_by_text("Nothing loaded yet.")).to_be_visible()

    page.get_by_role("button", name="Run now").first.click()
    expect(page.get_by_role("region", name="The last run")).to_contain_text("97 new")
    page.reload()
    expect(page.get_by_role("region", name="The last run")).to_contain_text("97 new")

    page.goto(f"{served.url}/#/data")
    page.locator("summary", has_text="Export").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="All that matches: JSON", exact=True).click()
    assert len(json.loads(Path(download.value.path()).read_text())) == 97


@pytest.mark.console("401")
def test_reading_needs_no_token_where_only_changes_are_protected(site, look):
    page = look(site(ETL_API_TOKEN="right"))
    expect(page.get_by_text("Nothing loaded yet.")).to_be_visible()

    page.get_by_role("button", name="Run now").first.click()
    expect(page.get_by_role("textbox", name="Token")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.get_by_role("button", name="Run now").first.click()
    page.get_by_role("textbox", name="Token").fill("right")
    page.keyboard.press("Enter")

    expect(page.get_by_role("region", name="The last run")).to_contain_text("97 new")


@pytest.mark.console("502")
def test_a_source_that_cannot_be_reached_is_told_with_its_place_and_a_remedy(site, look, tmp_path):
    with serving(MemorySource()) as source:
        url = source.url  # nobody is there any more once this ends
    served = site(written(tmp_path, url))

    page = look(served, "#/preview")
    expect(page.get_by_text("The source could not be reached.")).to_be_visible()
    expect(page.locator(".trouble-where")).to_contain_text(url)
    expect(page.get_by_role("button", name="Try again")).to_be_visible()

    served.run()
    page = look(served, "#/", locale="fr-FR")
    expect(page.locator(".trouble")).to_contain_text("La source est injoignable.")
    expect(page.locator(".trouble-remedy")).to_contain_text("Vérifiez extract.url")


def test_the_url_holds_the_view(posts, look):
    page = look(posts, "#/data?q=river&size=25&sort=-id")
    expect_rows(page, "Rows 1 to 25")
    before = page.locator("tbody tr").first.inner_text()
    page.get_by_role("link", name="Next").click()
    expect_rows(page, "Rows 26")
    after = page.locator("tbody tr").first.inner_text()
    assert after != before

    page.reload()
    expect(page.locator("tbody tr").first).to_have_text(after.replace("\t", "").replace("\n", ""), use_inner_text=False)
    page.get_by_role("link", name="Previous").click()
    expect_rows(page, "Rows 1 to 25")
    assert page.locator("tbody tr").first.inner_text() == before
    page.go_back()
    expect_rows(page, "Rows 26")

    shared = look(posts, page.url.removeprefix(f"{posts.url}/"))
    expect_rows(shared, "Rows 26")
    assert shared.locator("tbody tr").first.inner_text() == after
    shared.get_by_role("link", name="First").click()
    assert "after" not in shared.url


def test_what_is_shown_and_what_matches_can_be_exported(posts, look):
    page = look(posts, "#/data?q=river&size=25")
    expect(page.locator("tbody tr")).to_have_count(25)
    page.locator("summary", has_text="Export").click()

    def exported(name: str) -> str:
        with page.expect_download() as download:
            page.get_by_role("link", name=name, exact=True).click()
        return Path(download.value.path()).read_text()

    assert len(list(csv.DictReader(io.StringIO(exported("What is shown: CSV"))))) == 25
    assert len(json.loads(exported("What is shown: JSON"))) == 25
    every = len(exported("All that matches: NDJSON").splitlines())
    assert 25 < every < 97
    assert len(json.loads(exported("All that matches: JSON"))) == every


HOSTILE = [
    {
        "id": 1,
        "text": "<script>alert(1)</script><img src=x onerror=alert(1)>",
        "data": {"<b>": "</td><script>alert(2)</script>"},
    },
    {"id": 2, "text": '=HYPERLINK("http://evil.example","x")', "data": None},
    {"id": 3, "text": "\u202eالعربية evil\u202c مرحبا", "data": [1, "👩‍👩‍👧‍👦 🎉"]},
    {"id": 4, "text": "long " * 20_000, "data": {"deep": ["x" * 300]}},
    {"id": 9_007_199_254_740_993, "text": "javascript:alert(1)", "data": "{{constructor}}"},
    {"id": "<img src=x onerror=alert(3)>", "text": "rejected", "data": None},
]


def test_hostile_records_are_text_everywhere(site, look, tmp_path):
    columns = [{"name": "id", "type": "integer"}, {"name": "text", "type": "text"}, {"name": "data", "type": "json"}]
    with serving(MemorySource(HOSTILE)) as source:
        served = site(written(tmp_path, source.url, transform={"columns": columns}))
        run = served.run()
        page = look(served, "#/data")
        expect(page.locator("tbody tr")).to_have_count(5)

        rows = page.locator("tbody")
        expect(rows).to_contain_text("<script>alert(1)</script>")
        expect(rows).to_contain_text('=HYPERLINK("http://evil.example","x")')
        expect(rows).to_contain_text("9,007,199,254,740,993")
        expect(rows).to_contain_text("👩‍👩‍👧‍👦")
        assert len(rows.inner_text()) < 5_000  # what is long is folded
        rows.get_by_text("long long").first.click()
        expect(rows.locator(".whole")).to_have_text(("long " * 20_000).strip())
        assert page.evaluate("document.documentElement.scrollWidth") == 1280

        for path in ("#/preview?n=10", f"#/runs/{run['id']}"):
            page.goto(f"{served.url}/{path}")
            expect(page.locator("main")).to_contain_text("<img src=x onerror=alert(3)>")
        assert page.locator("main script, main img").count() == 0
        exported = served.text("tables/posts?format=csv")
    assert "\"'=HYPERLINK" in exported


@pytest.mark.parametrize(
    ("width", "theme", "language"),
    [(1280, "light", "en"), (1280, "dark", "fr"), (360, "light", "fr"), (360, "dark", "en")],
)
def test_axe_finds_nothing_in_any_view(posts, look, width, theme, language):
    axe = Path(__file__).parent / "node_modules/axe-core/axe.min.js"
    if not axe.is_file():
        pytest.skip("axe-core is not installed; run `npm ci --prefix tests/frontend`, or `make test`")
    run = posts.get("etl/runs?limit=1")[0]["id"]
    page = look(posts, width=width, color_scheme=theme, locale=language)
    page.evaluate(axe.read_text())
    found = {}
    for name, path in {**VIEWS, "run": f"#/runs/{run}", "filters": "#/data?q=river&f.user_id=1"}.items():
        page.evaluate("(path) => { location.hash = path; }", path)
        expect(page.locator(f"main.view-{'data' if name == 'filters' else name}")).to_be_visible()
        expect(page.locator(".skeleton")).to_have_count(0)
        if name == "data":
            page.locator("summary", has_text="Export" if language == "en" else "Exporter").click()
            page.locator("button[aria-controls=filters]").click()
        violations = page.evaluate("() => axe.run({resultTypes: ['violations']}).then(({violations}) => violations)")
        found[name] = [f"{each['id']}: {[node['html'][:200] for node in each['nodes']]}" for each in violations]
    assert found == {name: [] for name in found}


@pytest.mark.parametrize("width", [320, 360, 1280])
def test_no_view_is_wider_than_the_screen(posts, look, width):
    page = look(posts, width=width, locale="fr")
    for path in VIEWS.values():
        page.goto(f"{posts.url}/{path}")
        expect(page.locator(".skeleton")).to_have_count(0)
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_language_and_theme_are_switched_and_kept(posts, look):
    page = look(posts, color_scheme="light")
    expect(page.get_by_role("heading", name="Last runs")).to_be_visible()

    page.get_by_role("button", name="Français").click()
    page.get_by_role("button", name="Thème sombre").click()
    page.reload()

    expect(page.get_by_role("heading", name="Dernières exécutions")).to_be_visible()
    assert page.locator("html").get_attribute("lang") == "fr"
    assert page.evaluate("getComputedStyle(document.documentElement).backgroundColor") == "rgb(18, 21, 27)"


def test_the_bars_of_runs_are_links_that_arrows_walk_along(posts, look):
    page = look(posts)
    expect(page.locator(".bar")).to_have_count(2)
    page.locator(".bar").nth(1).focus()
    page.keyboard.press("ArrowLeft")

    assert "succeeded" in (page.locator(".bar:focus").get_attribute("aria-label") or "")
    page.get_by_text("As a table").click()
    expect(page.locator(".chart-table tbody tr")).to_have_count(2)


@pytest.mark.console("404")
def test_a_run_that_does_not_exist_is_said_so(posts, look):
    page = look(posts, "#/runs/none-such")
    expect(page.get_by_text("There is no run none-such.")).to_be_visible()


def test_the_figures_are_those_of_the_service(posts, look):
    page = look(posts)
    expect(page.locator(".figures dd").first).to_have_text("97")
    assert count(page.locator(".figures dd").first.inner_text()) == posts.get("stats")["rows"]


def expect_rows(page: Page, place: str) -> None:
    """These rows are there; until then, those before stay and are marked."""
    expect(page.locator(".pager-place")).to_contain_text(place)
    expect(page.locator(".scroll.is-loading")).to_have_count(0)


def tab_to(page: Page, name: str, *, backwards: bool = False) -> None:
    """Press Tab until what has that name has focus."""
    for _ in range(60):
        page.keyboard.press("Shift+Tab" if backwards else "Tab")
        if name in page.evaluate("document.activeElement.textContent"):
            return
    raise AssertionError(f"{name} cannot be reached with Tab")
