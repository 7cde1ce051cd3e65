"""How pjsip, its accounts and its calls are set up."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Final

import pjsua2 as pj

from agent.contract.address import IpFamily, family_of
from agent.contract.codecs import Codec
from agent.contract.headers import Header, Headers
from agent.contract.plan import Transport, transport_parameter
from agent.contract.srtp import SrtpUse
from agent.phone.pjsua.objects import LOG_LEVEL, Log, why
from agent.phone.protocol import PhoneError, SipAccount, TlsFiles
from agent.tap import Tap

ENABLED, DISABLED = 128, 0
"""Priorities of a codec; which comes first is said call by call."""
RATES_HZ: Final = {Codec.G722: 16_000}
"""Those of codecs that pjsip calls by another than that of their timestamps."""
MAX_CALLS = 1000
"""PJSUA_MAX_CALLS of dev/pjsua2/config_site.h. pjsip hands out call ids round-robin: one comes back late, but where
most are taken."""
FIRST_RTP_PORT, RTP_PORTS = 10_000, 20_000
"""Below Linux's ephemeral ports; an account starts at a random one and skips those in use."""
TRANSPORTS: Final = {
    (Transport.UDP, IpFamily.IPV4): pj.PJSIP_TRANSPORT_UDP,
    (Transport.TCP, IpFamily.IPV4): pj.PJSIP_TRANSPORT_TCP,
    (Transport.TLS, IpFamily.IPV4): pj.PJSIP_TRANSPORT_TLS,
    (Transport.UDP, IpFamily.IPV6): pj.PJSIP_TRANSPORT_UDP6,
    (Transport.TCP, IpFamily.IPV6): pj.PJSIP_TRANSPORT_TCP6,
    (Transport.TLS, IpFamily.IPV6): pj.PJSIP_TRANSPORT_TLS6,
}
IPV6_USE: Final = {
    IpFamily.IPV4: pj.PJSUA_IPV6_DISABLED,
    IpFamily.IPV6: pj.PJSUA_IPV6_ENABLED_USE_IPV6_ONLY,
}
HANDSHAKE_MS: Final = 7000
"""A connection that is not up by then, handshake and all, is given up; four SYNs went out (judge/checks/connection)."""
SRTP_USES: Final = {
    SrtpUse.DISABLED: pj.PJMEDIA_SRTP_DISABLED,
    SrtpUse.OPTIONAL: pj.PJMEDIA_SRTP_OPTIONAL,
    SrtpUse.MANDATORY: pj.PJMEDIA_SRTP_MANDATORY,
}
RESAMPLED: Final = frozenset({Codec.G722, Codec.OPUS, Codec.SPEEX})
"""Those of which pjsip's quality says anything."""
TLS_1_2, TLS_1_3 = 0x10, 0x20
"""PJ_SSL_SOCK_PROTO_…, which the binding leaves out."""


def endpoint_config(log: Log, codecs: Collection[Codec]) -> pj.EpConfig:
    """One worker thread, sound of 8 kHz without voice activity detection, the error log to us."""
    config = pj.EpConfig()
    config.uaConfig.threadCnt = 1
    config.uaConfig.maxCalls = MAX_CALLS
    config.uaConfig.userAgent = "calltest"
    config.logConfig.level = config.logConfig.consoleLevel = LOG_LEVEL
    config.logConfig.msgLogging = 0
    config.logConfig.decor = 0
    config.logConfig.writer = log
    config.medConfig.clockRate = config.medConfig.sndClockRate = 8000
    # It is also speex's own: with 1, nothing of the identity signal is left. Without resampling, it costs nothing.
    config.medConfig.quality = 8 if RESAMPLED.intersection(codecs) else 1
    config.medConfig.ecTailLen = 0
    config.medConfig.noVad = True
    config.medConfig.sndAutoCloseTime = -1  # else the media clock stops 1 s after a call, whatever call has begun then
    return config


@dataclass(frozen=True, slots=True, kw_only=True)
class Socket:
    """Where the phone takes SIP, and how it sends it."""

    transport: Transport
    bind: str
    port: int = 0
    """0: any free one."""
    number: int = -1
    """pjsip's, once it is open."""
    tls: TlsFiles | None = None
    """With TLS."""

    @property
    def family(self) -> IpFamily:
        """Of SIP and media alike."""
        return family_of(self.bind) or IpFamily.IPV4


def start(
    endpoint: pj.Endpoint, log: Log, tap: Tap, wanted: Sequence[Socket], codecs: Sequence[Codec]
) -> tuple[Socket, ...]:
    """Starts pjsip, tapped, on those sockets, with those codecs. PhoneError names the socket that cannot be had."""
    endpoint.libCreate()
    config = endpoint_config(log, codecs)
    log.__disown__()  # libDestroy deletes it
    endpoint.libInit(config)
    tap.install()
    opened = tuple(replace(socket, number=_opened(endpoint, tap, socket)) for socket in wanted)
    endpoint.libStart()
    endpoint.audDevManager().setNullDev()
    _enable(endpoint, codecs)
    return opened


def _enable(endpoint: pj.Endpoint, codecs: Sequence[Codec]) -> None:
    """These, and no others. PhoneError names those that pjsip was built without."""
    known = [codec.codecId for codec in endpoint.codecEnum2()]
    wanted = {codec: [codec_id for codec_id in known if _is(codec, codec_id)] for codec in codecs}
    if missing := [codec for codec, found in wanted.items() if not found]:
        raise PhoneError(f"this pjsua2 has no {', '.join(missing)}: build it by dev/pjsua2/install")
    enabled = {codec_id for found in wanted.values() for codec_id in found}
    for codec_id in known:
        endpoint.codecSetPriority(codec_id, ENABLED if codec_id in enabled else DISABLED)


def _is(codec: Codec, codec_id: str) -> bool:
    """Pjsip's `speex/8000/1`; it calls G.722 after its sampling."""
    return codec_id.lower().startswith(f"{codec.lower()}/{RATES_HZ.get(codec, codec.clock_hz)}/")


def _opened(endpoint: pj.Endpoint, tap: Tap, wanted: Socket) -> int:
    local = pj.TransportConfig()
    local.boundAddress, local.port = wanted.bind, wanted.port
    if wanted.tls is not None:
        local.tlsConfig = tls_config(wanted.tls)
        tap.secure(wanted.tls.server_name, anonymous=wanted.tls.anonymous)
    try:
        return int(endpoint.transportCreate(TRANSPORTS[wanted.transport, wanted.family], local))
    except pj.Error as error:
        where = f"{wanted.transport} {wanted.bind}:{wanted.port or 'any port'}"
        raise PhoneError(f"cannot open the phone on {where}: {why(error)}; give another port or address") from error


def tls_config(files: TlsFiles) -> pj.TlsConfig:
    """TLS 1.2 and 1.3."""
    config = pj.TlsConfig()
    config.CaListFile = "" if files.authorities is None else str(files.authorities)
    config.certFile, config.privKeyFile = str(files.certificate), str(files.key)
    config.proto = TLS_1_2 | TLS_1_3
    config.verifyServer = files.verify
    config.verifyClient = config.requireClientCert = files.asks_client
    config.msecTimeout = HANDSHAKE_MS
    return config


def account_config(account: SipAccount, socket: Socket, srtp: SrtpUse = SrtpUse.DISABLED) -> pj.AccountConfig:
    """Everything through the proxy; no keep-alives, retries, look-ups or re-INVITEs of pjsip's own.

    But over UDP, our Contact and Via name the socket that takes connections (RFC 3261 §18.1.1), not one that we opened.
    `srtp`: which media of an offer are looked at; what is done with them is each call's, of which the tap is told. What
    keys travel by is for the verdict.
    """
    config = pj.AccountConfig()
    config.idUri = account.uri
    config.sipConfig.transportId = socket.number
    config.sipConfig.ipv6Use = config.mediaConfig.ipv6Use = IPV6_USE[socket.family]
    if account.proxy:
        config.sipConfig.proxies.append(f"sip:{account.proxy}{transport_parameter(socket.transport)};lr;hide")
    if account.username is not None:
        cred = pj.AuthCredInfo("digest", account.realm, account.username, 0, account.password or "")
        config.sipConfig.authCreds.append(cred)
    if account.register:
        config.regConfig.registrarUri = registrar(account.uri)
        config.regConfig.registerOnAdd = True
        for header in account.headers:
            config.regConfig.headers.append(_header(header))
        config.regConfig.timeoutSec = account.expires_s
    config.regConfig.retryIntervalSec = config.regConfig.firstRetryIntervalSec = 0
    config.natConfig.udpKaIntervalSec = 0
    if socket.transport is not Transport.UDP:
        config.natConfig.contactUseSrcPort = config.natConfig.contactRewriteUse = 0
        config.natConfig.viaRewriteUse = config.natConfig.sipOutboundUse = 0
    config.mediaConfig.srtpUse, config.mediaConfig.srtpSecureSignaling = SRTP_USES[srtp], 0
    config.mediaConfig.lockCodecEnabled = False
    config.mediaConfig.transportConfig.boundAddress = socket.bind
    config.mediaConfig.transportConfig.port = FIRST_RTP_PORT
    config.mediaConfig.transportConfig.portRange = RTP_PORTS
    config.mediaConfig.transportConfig.randomizePort = True
    return config


def registrar(uri: str) -> str:
    """The registrar of an address of record: its host part (RFC 3261 §10.2)."""
    scheme, _, rest = uri.strip("<> ").partition(":")
    return f"{scheme}:{rest.rpartition('@')[2].partition(';')[0]}"


def call_settings(code: int = 0, headers: Headers = ()) -> pj.CallOpParam:
    """Parameters of a call operation: one audio stream, no T.140 text (2.17 offers it otherwise), headers of ours.

    PhoneError for a header that would become more than one line.
    """
    param = pj.CallOpParam(True)
    param.statusCode = code
    param.opt.audioCount, param.opt.videoCount, param.opt.textCount = 1, 0, 0
    for header in headers:
        param.txOption.headers.append(_header(header))
    return param


def _header(header: Header) -> pj.SipHeader:
    if not (header.name + header.value).isprintable():
        raise PhoneError(f"header {header.name!r}: control characters")
    made = pj.SipHeader()
    made.hName, made.hValue = header.name, header.value
    return made
