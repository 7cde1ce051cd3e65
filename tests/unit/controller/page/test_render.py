"""The file: nothing of a network is markup in it, nothing runs, nothing is loaded."""

import base64
import re
from dataclasses import replace
from hashlib import sha256
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.contract.verdict import Result
from controller.page.model import Broken, Call, Fact, Hop, Page, Place, Said, Sound, Track, Way
from controller.page.render import is_open, lane_percents, render, rows, side_of
from tests.unit.controller.page.test_chart import CALL, LANES, MESSAGE, TRACK

EVIL = "\"><script>alert(1)</script><img src=x onerror=alert(1)>'{{7*7}}</pre></style>&\u202e"
ALLOWED = {
    *("html", "head", "meta", "title", "style", "body", "header", "main", "footer", "section", "figure", "figcaption"),
    *(
        "h1",
        "h2",
        "h3",
        "h4",
        "p",
        "a",
        "ul",
        "ol",
        "li",
        "dl",
        "dt",
        "dd",
        "div",
        "span",
        "strong",
        "br",
        "code",
        "pre",
    ),
    *("table", "thead", "tbody", "tr", "th", "td", "details", "summary", "audio"),
    *("svg", "defs", "marker", "path", "g", "line", "rect", "text", "polygon", "polyline"),
}
SAID = Said(
    result=Result.FAILED,
    reason="DtmfMismatch",
    sentence='callee received "124#", expected "1234#"',
    expected="1234#",
    observed="124#",
    leg="Callee",
    check="dtmf",
    note="changed on the way",
)


class Tags(HTMLParser):
    """What elements and attributes there are, and the text of each."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.texts, self.links = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]
        self.links += [value for name, value in attrs if name in {"src", "href", "xlink:href"}]

    def handle_data(self, data):
        self.texts.append(data)


def page(**changes):
    call = replace(CALL, result=Result.FAILED, said=(SAID,), code="200 OK", began="2023-11-14 22:13:20.000 UTC")
    known = {
        "title": "pin",
        "made_of": ("run.json",),
        "result": Result.FAILED,
        "reason": "DtmfMismatch",
        "sentence": SAID.sentence,
        "facts": (Fact(name="calls", value="2"),),
        "worst": SAID,
        "broken": (Broken(hop=Hop.CALLEE, way=Way.TO_CALLEE),),
        "at": "call pin/0",
        "sut": "sut-0",
        "places": (Place(name="sut-0", address="10.0.0.1:5060", result=Result.FAILED, reason="", calls="0/1"),) * 2,
        "calls": (call, replace(call, anchor="call-2", result=Result.PASSED, said=())),
        "notes": ("a note",),
        "left_out": ("something",),
    }
    return Page(**{**known, **changes})


def poisoned():
    """A page in which every text that can come from elsewhere is hostile."""
    message = replace(MESSAGE, title=EVIL, text=EVIL)
    sound = Sound(begin_s=0.0, length_s=1.0, wav=b"RIFF")
    track = replace(TRACK, name=EVIL, source=EVIL, target=EVIL, codec=EVIL, facts=(Fact(name=EVIL, value=EVIL),))
    tracks = (
        replace(track, sound=sound),
        replace(track, no_sound=EVIL, hop=Hop.CALLEE, spans=(replace(TRACK.spans[0], label=EVIL),)),
    )
    said = replace(SAID, reason=EVIL, sentence=EVIL, expected=EVIL, observed=EVIL, check=EVIL, note=EVIL)
    call = Call(
        anchor="call-1",
        name=EVIL,
        where=EVIL,
        code=EVIL,
        length_s=8.0,
        said=(said,),
        facts=(Fact(name=EVIL, value=EVIL, is_bad=True),),
        ladder=replace(
            CALL.ladder,
            lanes=tuple(replace(one, name=EVIL, detail=EVIL) for one in LANES),
            steps=(message,),
            clock_note=EVIL,
            left_out=3,
        ),
        tracks=tracks,
        notes=(EVIL,),
    )
    return page(
        title=EVIL,
        made_of=(EVIL,),
        reason=EVIL,
        sentence=EVIL,
        worst=said,
        at=EVIL,
        sut=EVIL,
        places=(Place(name=EVIL, address=EVIL, result=None, reason=EVIL, calls=EVIL),) * 2,
        calls=(call, replace(call, anchor="call-2")),
        notes=(EVIL,),
        left_out=(EVIL,),
    )


def test_what_a_network_says_is_text_wherever_it_stands():
    text = render(poisoned(), EVIL)
    found = Tags(text)
    assert set(found.tags) <= ALLOWED
    assert not [name for name in found.attributes if name.startswith("on") or name == "style"]
    assert "<script" not in text
    assert "<img" not in text
    assert "\u202e" not in text
    assert "49" not in "".join(found.texts)
    assert "".join(found.texts).count("<script>alert(1)</script>") > 20


def test_nothing_is_loaded_from_anywhere():
    for link in Tags(render(poisoned(), "1")).links:
        assert link.startswith(("#", "data:audio/wav;base64,"))
    assert not re.search(r"https?:", render(page(), "1"))
    assert "url(" not in re.sub(r"url\(#head-\w+\)", "", render(page(), "1"))


def test_the_policy_allows_no_script_and_no_style_but_the_pages():
    text = render(page(), "1")
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
    (style,) = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    digest = base64.b64encode(sha256(style.encode()).digest()).decode()
    assert policy.replace("&#39;", "'") == (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; media-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def test_the_first_screen_answers_what_broke_where_and_in_which_direction():
    text = " ".join(Tags(render(page(), "1")).texts)
    first = text[: text.index("Overview")]
    for words in ("Failed", "DtmfMismatch", "1234#", "124#", "sut-0", "call pin/0", "caller → callee"):
        assert words in first


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        ((), "not a direction's fault"),
        ((Broken(hop=Hop.CALLER, way=Way.TO_CALLER),), "callee → caller"),
        ((Broken(hop=Hop.CALLER, way=Way.TO_CALLER), Broken(hop=Hop.CALLEE, way=Way.TO_CALLEE)), "both directions"),
    ],
)
def test_a_direction_is_said_in_words(broken, words):
    text = re.sub(r"<style>.*?</style>", "", render(page(broken=broken), "1"), flags=re.DOTALL)
    assert words in text.replace("&#39;", "'")


def test_a_run_that_passed_is_green_and_has_no_trouble():
    text = render(page(result=Result.PASSED, worst=None, broken=()), "1")
    assert "Nothing is broken." in text
    assert text.count("way good") == 4
    assert "What broke" not in text


def test_a_capture_has_no_verdict_and_no_path():
    text = render(page(result=None, worst=None, places=(), broken=()), "1")
    assert "No verdict" in text
    assert "The path:" not in text


def test_one_call_is_unfolded_and_of_many_only_the_first_that_went_wrong():
    bad, good = page().calls
    assert [is_open(page(), one) for one in page().calls] == [True, False]
    assert is_open(page(calls=(good,)), good)
    assert not is_open(page(calls=(good, bad)), good)


def test_an_empty_page_is_a_page():
    text = render(Page(title="x", made_of=()), "1")
    assert "<h1>" in text


def test_each_message_unfolds_and_says_who_sent_it_to_whom():
    text = render(page(), "1")
    assert 'aria-label="INVITE with SDP, a to b"' in text
    assert text.count('<details class="message">') == 2 * 4


def test_a_longer_time_between_two_steps_is_said():
    found = rows(CALL)
    assert [row.pause_s for row in found] == [None, None, None, None, 7.9]
    assert [row.arrow for row in found] == ["INVITE + SDP", "100 Trying + SDP", "401 No + SDP", "RTP", "BYE + SDP"]
    long = replace(CALL, ladder=replace(CALL.ladder, steps=(replace(MESSAGE, title="503 " + "x" * 40),)))
    assert len(rows(long)[0].arrow) == 22


def test_lanes_share_the_width():
    assert lane_percents(3) == (16.667, 50.0, 83.333)


def test_a_side_is_told_from_point_to_point():
    sent = replace(TRACK, hop=Hop.CALLER, packets=400, lost=0, keys=(*TRACK.keys, TRACK.keys[0]))
    received = replace(TRACK, hop=Hop.CALLEE)
    side = side_of(replace(CALL, tracks=(received, sent)), Way.TO_CALLEE)
    assert (side.packets, side.lost, side.digits, side.tracks) == ("400 → 395", 5, "121 → 12", (received,))


def test_a_side_without_agents_has_all_its_points_and_names_a_few():
    points = tuple(replace(TRACK, begin_s=float(n), packets=400 - n, keys=()) for n in range(6))
    side = side_of(replace(CALL, tracks=points), Way.TO_CALLEE)
    assert (side.packets, side.digits, len(side.tracks)) == ("400 → 399 → 398 → 397 …", "", 6)
    assert side_of(CALL, Way.TO_CALLER).tracks == ()


@settings(max_examples=30, deadline=None)
@given(st.text())
def test_any_text_is_shown_as_text(text):
    found = Tags(render(page(sentence=text, calls=(Call(anchor="c", name=text, notes=(text,)),)), "1"))
    assert set(found.tags) <= ALLOWED
    assert set(Tags(render(page(calls=(Call(anchor="c", name="n"),)), "1")).attributes) >= set(found.attributes)


def test_sound_is_in_the_page():
    call = replace(CALL, tracks=(replace(TRACK, sound=Sound(begin_s=0.5, length_s=1.0, wav=b"RIFF")),))
    assert "data:audio/wav;base64,UklGRg==" in render(page(calls=(call,)), "1")


def test_tracks_of_no_direction_are_listed():
    text = render(page(calls=(replace(CALL, tracks=(Track(name="beside it", begin_s=0, end_s=1),)),)), "1")
    assert "beside it" in text


def test_a_system_that_answers_itself_is_the_other_end_of_the_path():
    text = render(page(has_callee=False), "1")
    assert "The path: caller agent, system under test. " in text
    assert "callee agent" not in text
    assert "caller → SUT" in text
