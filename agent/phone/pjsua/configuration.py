"""How pjsip, its accounts and its calls are set up."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import pjsua2 as pj

from agent.phone.pjsua.objects import LOG_LEVEL, Log
from agent.phone.protocol import PhoneError, SipAccount
from agent.tap import Tap

MAX_CALLS = 1000
"""PJSUA_MAX_CALLS of dev/pjsua2/config_site.h. pjsip hands out call ids round-robin, so an id comes back late."""
FIRST_RTP_PORT, RTP_PORTS = 10_000, 20_000
"""Below Linux's ephemeral ports; an account starts at a random one and skips those in use."""
NO_HEADERS: Final[Mapping[str, str]] = MappingProxyType({})


def endpoint_config(log: Log) -> pj.EpConfig:
    """One worker thread, G.711 at 8 kHz without voice activity detection, the error log to us."""
    config = pj.EpConfig()
    config.uaConfig.threadCnt = 1
    config.uaConfig.maxCalls = MAX_CALLS
    config.uaConfig.userAgent = "calltest"
    config.logConfig.level = config.logConfig.consoleLevel = LOG_LEVEL
    config.logConfig.msgLogging = 0
    config.logConfig.decor = 0
    config.logConfig.writer = log
    config.medConfig.clockRate = config.medConfig.sndClockRate = 8000
    config.medConfig.quality = 1
    config.medConfig.ecTailLen = 0
    config.medConfig.noVad = True
    config.medConfig.sndAutoCloseTime = -1  # else the media clock stops 1 s after a call, whatever call has begun then
    return config


def start(endpoint: pj.Endpoint, log: Log, tap: Tap, bind: str, sip_port: int) -> int:
    """Starts pjsip, tapped, on a UDP socket; gives its transport. G.711 is the only codec."""
    endpoint.libCreate()
    config = endpoint_config(log)
    log.__disown__()  # libDestroy deletes it
    endpoint.libInit(config)
    tap.install()
    udp = pj.TransportConfig()
    udp.boundAddress, udp.port = bind, sip_port
    transport = endpoint.transportCreate(pj.PJSIP_TRANSPORT_UDP, udp)
    endpoint.libStart()
    endpoint.audDevManager().setNullDev()
    for codec in endpoint.codecEnum2():
        name = codec.codecId.partition("/")[0]
        endpoint.codecSetPriority(codec.codecId, {"PCMU": 255, "PCMA": 254}.get(name, 0))
    return int(transport)


def account_config(account: SipAccount, transport: int, bind: str) -> pj.AccountConfig:
    """Everything through the proxy; no keep-alives, retries, IPv6 look-ups or re-INVITEs of pjsip's own."""
    config = pj.AccountConfig()
    config.idUri = account.uri
    config.sipConfig.transportId = transport
    config.sipConfig.ipv6Use = config.mediaConfig.ipv6Use = pj.PJSUA_IPV6_DISABLED
    if account.proxy:
        config.sipConfig.proxies.append(f"sip:{account.proxy};lr;hide")
    if account.username is not None:
        cred = pj.AuthCredInfo("digest", account.realm, account.username, 0, account.password or "")
        config.sipConfig.authCreds.append(cred)
    if account.register:
        config.regConfig.registrarUri = registrar(account.uri)
        config.regConfig.registerOnAdd = True
    config.regConfig.retryIntervalSec = config.regConfig.firstRetryIntervalSec = 0
    config.natConfig.udpKaIntervalSec = 0
    config.mediaConfig.lockCodecEnabled = False
    config.mediaConfig.transportConfig.boundAddress = bind
    config.mediaConfig.transportConfig.port = FIRST_RTP_PORT
    config.mediaConfig.transportConfig.portRange = RTP_PORTS
    config.mediaConfig.transportConfig.randomizePort = True
    return config


def registrar(uri: str) -> str:
    """The registrar of an address of record: its host part (RFC 3261 §10.2)."""
    scheme, _, rest = uri.strip("<> ").partition(":")
    return f"{scheme}:{rest.rpartition('@')[2].partition(';')[0]}"


def call_settings(code: int = 0, headers: Mapping[str, str] = NO_HEADERS) -> pj.CallOpParam:
    """Parameters of a call operation: one audio stream, no T.140 text (2.17 offers it otherwise), headers of ours.

    PhoneError for a header that would become more than one line.
    """
    param = pj.CallOpParam(True)
    param.statusCode = code
    param.opt.audioCount, param.opt.videoCount, param.opt.textCount = 1, 0, 0
    for name, value in headers.items():
        if not (name + value).isprintable():
            raise PhoneError(f"header {name!r}: control characters")
        header = pj.SipHeader()
        header.hName, header.hValue = name, value
        param.txOption.headers.append(header)
    return param
