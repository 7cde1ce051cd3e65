"""Every option of pjsua 2.17 (`long_options` in its pjsua_app_config.c), and what becomes of it in a CallTest.

A new version's options are found missing by tests/unit/controller/cli/convert/test_table.py.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Takes(StrEnum):
    """Whether an option has a value."""

    NOTHING = "nothing"
    VALUE = "value"
    MAY = "may"
    """Behind `=` alone."""


class Fate(StrEnum):
    """What becomes of an option that was given."""

    MAPPED = "mapped"
    """To a field; which one, and how, its value decides (parties.py, destination.py, media.py)."""
    DEFAULT = "default"
    """calltest does so already, whatever is said."""
    DROPPED = "dropped"
    """It says something of the calls, and the CallTest does not have it."""
    UNUSED = "unused"
    """It says nothing of the calls."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """An option."""

    takes: Takes
    fate: Fate
    """Unless its value says otherwise."""
    why: str
    """Of MAPPED: what is said where the test has no use for it."""


OF_ACCOUNT: Final = frozenset(
    (
        *("id", "registrar", "reg-timeout", "reg-use-proxy", "proxy", "realm", "username", "password", "next-cred"),
        *("use-srtp", "srtp-secure", "srtp-keying", "use-timer", "timer-se", "timer-min-se"),
    )
)
"""Options of one account (`--next-account` begins another one) that are mapped; others are the same for all."""
AGAIN: Final = frozenset(
    (
        *("next-account", "next-cred", "realm", "username", "password", "proxy", "outbound", "add-codec", "dis-codec"),
        *("play-file", "play-tone"),
    )
)
"""Mapped options that may be given again: of others the last one counts."""

MISSPELT: Final = {"ice_max_host_cands": "ice-max-hosts"}
"""What pjsua itself saves, and does not read."""

_LOG: Final = "is of what pjsua prints"
_SOUND: Final = "is of a sound device, and agents have none"
_LOCAL: Final = "is of the machine that pjsua runs on: agents have addresses and ports of their own"
_INSIDE: Final = "is of how pjsua works inside"
_CONSOLE: Final = "is of who sits before pjsua"
_NAT: Final = "calltest has no ICE, STUN, TURN or UPnP"
_VIDEO: Final = "calltest has no video"
_TEXT: Final = "calltest has no real-time text"
_CONTACT: Final = "agents write their Contact by themselves"
_PRESENCE: Final = "calltest has no subscriptions and publishes nothing"
_AKA: Final = "calltest has no AKA"
_REFUSED: Final = "pjsua 2.17 knows the name, and refuses it"
_IDLE: Final = "nothing in this test needs it"
_TLS: Final = "there is no such field of target.tls yet"
_ACCOUNT: Final = "pjsua makes an account with --id alone"


_LISTS: Final = (
    (Fate.MAPPED, "", "next-account", ""),
    (Fate.MAPPED, _ACCOUNT, "next-cred", "id registrar reg-timeout reg-use-proxy proxy realm username password"),
    (Fate.MAPPED, _IDLE, "no-tcp no-udp use-tls ipv6", "outbound"),
    (Fate.MAPPED, "is of transport TLS", "tls-verify-server", "tls-ca-file tls-cert-file tls-privkey-file"),
    (Fate.MAPPED, _IDLE, "", "use-srtp srtp-secure srtp-keying add-codec dis-codec ptime"),
    (Fate.MAPPED, "is played to calls with --auto-play or --auto-play-hangup alone", "", "play-file"),
    (Fate.MAPPED, "another one is played", "", "play-tone"),
    (Fate.MAPPED, "no --play-file says what", "auto-play auto-play-hangup", ""),
    (Fate.MAPPED, _IDLE, "auto-loop auto-rec", "rec-file auto-answer duration accept-redirect use-timer"),
    (Fate.MAPPED, _IDLE, "", "timer-se timer-min-se"),
    (Fate.DEFAULT, "nothing plays but what the test says", "null-audio", ""),
    (Fate.DEFAULT, "silence is sent as any other sound", "no-vad", ""),
    (Fate.DEFAULT, "no STUN is used", "disable-stun", ""),
    (Fate.DEFAULT, "one call is made at a time: calls[].count and concurrency say otherwise", "", "max-calls"),
    (Fate.DROPPED, "reliable provisional responses cannot be required yet", "use-100rel", ""),
    (Fate.DROPPED, "agents have no outbound (RFC 5626)", "", "outb-rid"),
    (Fate.DROPPED, _PRESENCE, "publish mwi", ""),
    (Fate.DROPPED, "calltest has no IMS settings", "use-ims", ""),
    (Fate.DROPPED, _AKA, "", "aka-op aka-amf"),
    (Fate.DROPPED, _CONTACT, "", "contact contact-params contact-uri-params auto-update-nat"),
    (Fate.DROPPED, "agents write headers in full", "use-compact-form", ""),
    (Fate.DROPPED, "agents route loosely alone (RFC 3261 §16.12)", "no-force-lr", ""),
    (Fate.DROPPED, "agents advertise norefersub as pjsua does by default", "no-supported-norefersub", ""),
    (Fate.DROPPED, "names are looked up by the system's resolver, without SRV", "", "nameserver"),
    (Fate.DROPPED, _NAT, "use-ice ice-regular ice-no-rtcp use-turn turn-tcp turn-tls", "stun-srv ice-trickle"),
    (Fate.DROPPED, _NAT, "", "ice-max-hosts turn-srv turn-user turn-passwd turn-tls-ca-file turn-tls-cert-file"),
    (Fate.DROPPED, _NAT, "", "turn-tls-privkey-file turn-tls-privkey-pwd turn-tls-neg-timeout turn-tls-cipher"),
    (Fate.DROPPED, "RTCP has a port of its own", "rtcp-mux", ""),
    (Fate.DROPPED, _TLS, "tls-verify-client", "tls-neg-timeout tls-cipher"),
    (Fate.DROPPED, "the key in a Secret is one without a password: openssl pkey -in FILE", "", "tls-password"),
    (Fate.DROPPED, "codecs have pjsua's own quality", "", "quality"),
    (Fate.DROPPED, "calltest has no iLBC", "", "ilbc-mode"),
    (Fate.DROPPED, "agents lose nothing on purpose yet", "", "rx-drop-pct tx-drop-pct"),
    (Fate.DROPPED, "a call has one audio stream", "extra-audio", ""),
    (Fate.DROPPED, "agents write their SDP by themselves", "", "custom-sdp"),
    (Fate.DROPPED, _VIDEO, "video auto-play-avi rec-avi-audio auto-rec-avi", "vcapture-dev vrender-dev play-avi"),
    (Fate.DROPPED, _VIDEO, "", "rec-avi rec-avi-size"),
    (Fate.DROPPED, _TEXT, "text", "text-red"),
    (Fate.UNUSED, "pjsua reads no file that a file names", "", "config-file"),
    (Fate.UNUSED, _LOG, "log-append color no-color light-bg no-stderr", "log-file log-level app-log-level"),
    (Fate.UNUSED, _LOG, "help version stdout-no-buf", "stdout-refresh stdout-refresh-text"),
    (Fate.UNUSED, _SOUND, "stereo no-tones", "snd-clock-rate capture-dev playback-dev capture-lat playback-lat"),
    (Fate.UNUSED, _SOUND, "", "snd-auto-close ec-tail ec-opt"),
    (Fate.UNUSED, _LOCAL, "set-qos", "local-port ip-addr bound-addr rtp-port"),
    (Fate.UNUSED, _INSIDE, "", "clock-rate jb-max-size thread-cnt"),
    (Fate.UNUSED, _CONSOLE, "use-cli no-cli-console auto-conf no-mci", "cli-telnet-port add-buddy"),
    (Fate.UNUSED, "is of transfers, and the test has none", "norefersub", ""),
    (Fate.UNUSED, "pjsua 2.17 itself overwrites it; agents do not register again", "", "rereg-delay"),
    (Fate.UNUSED, _REFUSED, "offer-x-ms-msg no-presence", "complexity"),
)
"""Fate, why, the options without a value, and those with one."""

ROWS: Final = {
    name: Row(takes=takes, fate=fate, why=why)
    for fate, why, *lists in _LISTS
    for takes, names in zip((Takes.NOTHING, Takes.VALUE), lists, strict=True)
    for name in names.split()
} | {"upnp": Row(takes=Takes.MAY, fate=Fate.DROPPED, why=_NAT)}
"""By name."""
