"""Every option of pjsua 2.17 has a row."""

from collections import Counter

from controller.cli.convert.table import _LISTS, AGAIN, MISSPELT, OF_ACCOUNT, ROWS, Fate, Takes

WITHOUT_VALUE = """
log-append color no-color light-bg no-stderr help version stereo null-audio no-tcp no-udp norefersub
no-supported-norefersub publish mwi use-100rel use-ims disable-stun use-compact-form no-force-lr offer-x-ms-msg
no-presence auto-play auto-play-hangup auto-rec auto-loop auto-conf use-ice ice-regular ice-no-rtcp use-turn turn-tcp
turn-tls rtcp-mux no-vad next-account next-cred use-tls tls-verify-server tls-verify-client stdout-no-buf no-tones ipv6
set-qos no-mci video text extra-audio auto-play-avi rec-avi-audio auto-rec-avi use-cli no-cli-console
"""
WITH_VALUE = """
config-file log-file log-level app-log-level clock-rate snd-clock-rate local-port ip-addr bound-addr proxy outbound
registrar reg-timeout id contact contact-params contact-uri-params auto-update-nat accept-redirect realm username
password aka-op aka-amf rereg-delay reg-use-proxy nameserver stun-srv add-buddy auto-answer play-file play-tone rec-file
rtp-port ice-trickle ice-max-hosts turn-srv turn-tls-ca-file turn-tls-cert-file turn-tls-privkey-file
turn-tls-privkey-pwd turn-tls-neg-timeout turn-tls-cipher turn-user turn-passwd use-srtp srtp-secure srtp-keying
add-codec dis-codec complexity quality ptime ec-tail ec-opt ilbc-mode rx-drop-pct tx-drop-pct max-calls duration
thread-cnt tls-ca-file tls-cert-file tls-privkey-file tls-password tls-neg-timeout tls-cipher capture-dev playback-dev
capture-lat playback-lat stdout-refresh stdout-refresh-text snd-auto-close jb-max-size use-timer timer-se timer-min-se
outb-rid text-red vcapture-dev vrender-dev play-avi rec-avi rec-avi-size cli-telnet-port custom-sdp
"""
NAMES = {
    **dict.fromkeys(WITHOUT_VALUE.split(), Takes.NOTHING),
    **dict.fromkeys(WITH_VALUE.split(), Takes.VALUE),
    "upnp": Takes.MAY,
}
"""Of `long_options`; tests/component/test_convert.py compares it with the pinned source."""


def test_no_option_is_missing_and_none_is_made_up() -> None:
    assert {name: row.takes for name, row in ROWS.items()} == NAMES
    assert len(NAMES) == 141


def test_each_stands_in_one_row() -> None:
    listed = Counter(name for _, _, *lists in _LISTS for names in lists for name in names.split())
    assert [name for name, count in listed.items() if count > 1] == []


def test_what_is_not_mapped_says_why() -> None:
    assert [name for name, row in ROWS.items() if row.fate is not Fate.MAPPED and not row.why] == []


def test_what_is_said_of_options_is_said_of_those_that_are_mapped() -> None:
    assert {name for name in OF_ACCOUNT | AGAIN if ROWS[name].fate is not Fate.MAPPED} == set()
    assert set(MISSPELT.values()) <= set(ROWS)
