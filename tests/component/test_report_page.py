"""The page of `calltest report` in a real browser: clicked through, by keyboard, narrow, dark, with hostile texts."""

import itertools
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait
from typer.testing import CliRunner

from controller.cli.app import app
from tests.component.test_calltest_run import PARROT, calltest_run, parrot
from tests.unit.controller.page.world import ACK, BYE, BYE_OK, INVITE, OK, A, B, capture, media, signalling, sip

# Debian's, of `make setup` (dev/devkit/packages.py): Selenium is not to search for any, nor to download one.
CHROMIUM, DRIVER = "/usr/bin/chromium", "/usr/bin/chromedriver"
RUNS = "<script>window.hacked = 1</script><img src=x onerror='window.hacked = 2'><svg onload='window.hacked = 3'>"
PHONE_PX = 390


@pytest.fixture(scope="module")
def browser() -> Iterator[webdriver.Chrome]:
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1280,1000", "--mute-audio"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(executable_path=DRIVER))
    yield driver
    driver.quit()


@pytest.fixture(autouse=True)
def as_it_is(browser: webdriver.Chrome) -> Iterator[None]:
    yield
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    def make(name: str, *packets: Any) -> Path:
        folder = tmp_path_factory.mktemp("page")
        done = CliRunner().invoke(
            app, ["report", str(capture(folder / name, *packets)), "-o", str(folder / "page.html")]
        )
        assert done.exit_code == 0, done.stderr
        return folder / "page.html"

    return make


@pytest.fixture(scope="module")
def page(pages: Callable[..., Path]) -> Path:
    """Two calls: one with scripts wherever a peer may write, one that goes well."""
    evil = (
        INVITE.replace("<sip:a@x>", f'"{RUNS}" <sip:a@x>').replace("s=-", f"s={RUNS}"),
        sip(f"SIP/2.0 180 {RUNS}", to_tag="b"),
        sip("SIP/2.0 503 </pre></details>" + RUNS, to_tag="b", extra=f'Warning: 399 x "{RUNS}"\r\nX-{RUNS}: 1\r\n'),
        ACK,
    )
    evil_call = [
        (30.0 + n / 10, A if n in (0, 3) else B, B if n in (0, 3) else A, text.replace("cafe@", "</title>beef@"))
        for n, text in enumerate(evil)
    ]
    good = [(0.0, A, B, INVITE), (0.2, B, A, OK), (0.3, A, B, ACK), (5.0, A, B, BYE), (5.1, B, A, BYE_OK)]
    return pages("<img src=x onerror='window.hacked=4'>.pcap", signalling(*good, *evil_call), media("12", lose={7}))


def requests(browser: webdriver.Chrome) -> list[str]:
    """What the browser asked for since this was asked last."""
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    return [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]


def opened(browser: webdriver.Chrome, page: Path) -> None:
    requests(browser)
    browser.get("about:blank")
    browser.get(page.as_uri())


def hacked(browser: webdriver.Chrome) -> Any:
    return browser.execute_script("return window.hacked ?? null")


def unfold_all(browser: webdriver.Chrome) -> None:
    browser.execute_script("document.querySelectorAll('details').forEach(one => one.open = true)")


def test_nothing_that_a_network_says_runs_and_nothing_is_asked_for(browser, page):
    opened(browser, page)
    unfold_all(browser)
    assert hacked(browser) is None
    assert [url for url in requests(browser) if not url.startswith(("file:", "data:", "about:"))] == []
    assert [url for url in requests(browser) if url.startswith("file:") and url != page.as_uri()] == []
    assert browser.find_elements(By.CSS_SELECTOR, "script, img, iframe, object, embed, form, link") == []
    shown = browser.find_element(By.TAG_NAME, "main").get_attribute("textContent")
    assert shown.count("<script>window.hacked = 1</script>") >= 5
    assert "pcap" in browser.title


def test_what_would_be_markup_in_spite_of_all_is_stopped_by_the_policy(browser, page, tmp_path):
    broken = tmp_path / "broken.html"
    smuggled = f"<main{RUNS}<img src='http://127.0.0.1:9/x.png'><link rel=stylesheet href='http://127.0.0.1:9/x.css'>"
    broken.write_text(
        page.read_text().replace("</main>", f"{RUNS}{smuggled[5:]}<p id=p style='color:red'>x</p></main>")
    )
    opened(browser, broken)
    assert hacked(browser) is None
    blocked = {
        entry["message"] for entry in browser.get_log("browser") if "Content Security Policy" in entry["message"]
    }
    assert len(blocked) >= 4
    color = browser.find_element(By.ID, "p").value_of_css_property("color")
    assert color != "rgba(255, 0, 0, 1)"


def test_a_call_and_its_messages_are_clicked_open(browser, page):
    opened(browser, page)
    first, second = browser.find_elements(By.CSS_SELECTOR, "details.call")
    assert (first.get_attribute("open"), second.get_attribute("open")) == ("true", None)
    browser.find_element(By.CSS_SELECTOR, "a[href='#call-2']").click()
    WebDriverWait(browser, 5).until(lambda _: second.get_attribute("open"))
    message = second.find_element(By.CSS_SELECTOR, "details.message")
    text = message.find_element(By.TAG_NAME, "pre")
    assert not text.is_displayed()
    message.find_element(By.TAG_NAME, "summary").click()
    assert text.is_displayed()
    assert text.text.startswith("INVITE sip:b@x SIP/2.0")


def test_a_message_on_the_time_axis_leads_to_its_text(browser, page):
    opened(browser, page)
    first = browser.find_element(By.CSS_SELECTOR, "details.call")
    arrows = first.find_elements(By.CSS_SELECTOR, ".timeline a.message")
    texts = first.find_elements(By.CSS_SELECTOR, ".ladder pre")
    assert len(arrows) == len(texts) >= 4
    assert not texts[1].is_displayed()
    arrows[1].find_element(By.TAG_NAME, "text").click()
    WebDriverWait(browser, 5).until(lambda _: texts[1].is_displayed())
    assert [text.is_displayed() for text in texts[:3]] == [False, True, False]
    # Whoever has no mouse unfolds it in the ladder below: no stop at each of two hundred messages on the way there.
    assert {arrow.get_attribute("tabindex") for arrow in arrows} == {"-1"}


def test_everything_is_reached_by_keyboard_and_what_has_it_is_seen(browser, page):
    opened(browser, page)
    body = browser.find_element(By.TAG_NAME, "body")
    body.send_keys(Keys.TAB)
    assert browser.switch_to.active_element.text == "Skip to the calls"
    seen: list[str] = []
    for _ in range(80):
        active = browser.switch_to.active_element
        if active.tag_name == "summary" and "INVITE" in active.get_attribute("innerHTML"):
            break
        seen.append(active.tag_name)
        active.send_keys(Keys.TAB)
    active = browser.switch_to.active_element
    assert active.value_of_css_property("outline-style") == "solid"
    assert {"a", "summary", "div"} <= set(seen)
    details = active.find_element(By.XPATH, "..")
    for key, is_open in ((Keys.ENTER, "true"), (Keys.SPACE, None)):
        active.send_keys(key)
        assert details.get_attribute("open") == is_open


def test_headings_follow_each_other_and_drawings_have_words(browser, page):
    opened(browser, page)
    unfold_all(browser)
    levels = [int(one.tag_name[1]) for one in browser.find_elements(By.CSS_SELECTOR, "h1,h2,h3,h4")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    for drawn in browser.find_elements(By.CSS_SELECTOR, "svg"):
        assert drawn.get_attribute("aria-hidden") == "true" or drawn.accessible_name
    for control in browser.find_elements(By.CSS_SELECTOR, "summary, a, audio, [role=region]"):
        assert control.accessible_name or control.get_attribute("aria-label") or control.text, control.get_attribute(
            "outerHTML"
        )[:200]


def test_sound_can_be_played(browser, page):
    opened(browser, page)
    unfold_all(browser)
    script = """
        const [audio, done] = [document.querySelector('audio'), arguments[0]];
        audio.onloadedmetadata = () => done(audio.duration);
        audio.onerror = () => done(audio.error.message);
        audio.preload = 'auto';
        audio.load();
    """
    assert browser.execute_async_script(script) == pytest.approx(2.4, abs=0.3)


def overflow_px(browser: webdriver.Chrome) -> int:
    return int(browser.execute_script("return document.documentElement.scrollWidth - window.innerWidth"))


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_phone_shows_it_without_scrolling_sideways(browser, page, theme):
    metrics = {"width": PHONE_PX, "height": 844, "deviceScaleFactor": 2, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    browser.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": theme}]}
    )
    opened(browser, page)
    unfold_all(browser)
    assert overflow_px(browser) <= 0
    background = browser.find_element(By.TAG_NAME, "body").value_of_css_property("background-color")
    light = sum(map(int, re.findall(r"\d+", background)[:3])) / 3
    assert (light > 128) is (theme == "light")


def luminance(color: str) -> float:
    parts = [int(part) / 255 for part in re.findall(r"\d+", color)[:3]]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_texts_are_told_from_their_background(browser, page, theme):
    """WCAG 2.2, 1.4.3: 4.5 to 1."""
    browser.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": theme}]}
    )
    opened(browser, page)
    unfold_all(browser)
    card = browser.find_element(By.CSS_SELECTOR, "details.call").value_of_css_property("background-color")
    for selector in ("h1", ".faint", ".body dt", ".body .bad dd", ".badge.odd", "a[href='#call-1']", "pre", ".t"):
        color = browser.find_element(By.CSS_SELECTOR, selector).value_of_css_property("color")
        light, dark = sorted((luminance(color), luminance(card)), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, selector


def test_a_failed_run_is_seen_at_first_sight(browser, tmp_path):
    """Real calls to a parrot, of which other digits are expected than are sent."""
    (tmp_path / "echo.yaml").write_text(
        PARROT.replace('expect: {caller: {dtmf: {digits: "19*#"}', 'expect: {caller: {dtmf: {digits: "5"}')
    )
    with parrot() as target:
        code, _, said = calltest_run([str(tmp_path / "echo.yaml"), "-t", target, "--evidence", str(tmp_path / "kept")])
    assert code in (1, 3), said  # 3: this machine was too busy
    out = tmp_path / "page.html"
    done = CliRunner().invoke(app, ["report", str(tmp_path / "kept"), "-o", str(out), "--no-sound"])
    assert done.exit_code == 0, done.stderr
    assert out.stat().st_size < 2_000_000
    opened(browser, out)
    badge = browser.find_element(By.CSS_SELECTOR, "h1 .badge").text
    assert badge == {1: "Failed", 3: "Inconclusive"}[code]
    first = browser.find_element(By.CSS_SELECTOR, "details.call")
    assert len(first.find_elements(By.CSS_SELECTOR, "details.message")) >= 5
    assert "sent by the caller" in first.find_element(By.CSS_SELECTOR, ".timeline svg").accessible_name
    answers = [one.text for one in browser.find_elements(By.CSS_SELECTOR, ".answer")]
    assert code == 3 or ("DtmfMismatch" in answers[0] and target in answers[1] and "SUT → caller" in answers[2])
