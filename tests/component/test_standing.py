"""Standing services as SUTs of `calltest run`: one process, all transports at once."""

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from subprocess import Popen
from tempfile import NamedTemporaryFile

import pytest

from agent.contract.plan import Transport
from agent.contract.srtp import Keying
from agent.contract.verdict import Reason
from tests.component.agents import spoken_address
from tests.component.certificates import authority, certificate
from tests.component.field import not_overloaded
from tests.component.peers.running import OWN, echo
from tests.component.test_calltest_run import calltest_run
from tests.component.test_field_srtp import to_sut
from tests.component.test_field_tls import over_tls

pytest.importorskip("pjsua2")
OURS = certificate(common_name="agent")
SILENCE = 'audio: Silence, rtp: {minPackets: 100, maxLossPercent: "1"}'


@contextmanager
def service(name: str, *options: str) -> Iterator[dict[Transport, str]]:
    """Where it listens, with UDP, TCP and TLS; ended as Kubernetes ends it."""
    own = certificate()
    files = ("--certificate", str(own.certificate), "--key", str(own.key))
    command = [sys.executable, "-m", "agent", name, "--transport", "UDP,TCP,TLS", "--port", "0", "--tls-port", "0"]
    with NamedTemporaryFile() as log, Popen([*command, "--bind", "127.0.0.1", *files, *options], stderr=log) as process:
        try:
            yield {each: spoken_address(Path(log.name), each) for each in Transport}
        finally:
            process.terminate()
            assert process.wait(20) == 0, Path(log.name).read_text()


@pytest.fixture(scope="module", params=["parrot", "absorber"])
def standing(request) -> Iterator[tuple[str, dict[Transport, str]]]:
    with service(request.param, "--client-ca", str(authority().certificate)) as addresses:
        yield request.param, addresses


def verdict(folder: Path, test: str, target: str) -> str:
    (folder / "test.yaml").write_text(test)
    _, run, _ = calltest_run([str(folder / "test.yaml"), "--target", target])
    not_overloaded(run["status"])
    return "/".join(filter(None, (run["status"]["result"], run["status"].get("reason"))))


def test_it_takes_calls_by_all_transports_at_once(tmp_path, standing):
    name, addresses = standing
    test = echo(OWN if name == "parrot" else SILENCE)

    def told(transport: Transport) -> str:
        (folder := tmp_path / transport).mkdir()
        it = over_tls(client=OURS, test=test) if transport is Transport.TLS else over(transport, test)
        return verdict(folder, it, addresses[transport])

    with ThreadPoolExecutor() as pool:
        assert dict(zip(Transport, pool.map(told, Transport), strict=True)) == dict.fromkeys(Transport, "Passed")


def test_with_a_ca_of_clients_it_refuses_who_shows_no_certificate(tmp_path, standing):
    told = verdict(tmp_path, over_tls(), standing[1][Transport.TLS])
    assert told == f"Failed/{Reason.TLS_CLIENT_REFUSED}"


def test_it_hangs_up_on_who_shows_a_certificate_of_another_ca(tmp_path, standing):
    stranger = certificate(by="another-ca", common_name="agent")
    told = verdict(tmp_path, over_tls(client=stranger), standing[1][Transport.TLS])
    assert told == f"Failed/{Reason.CONNECTION_LOST}"


@pytest.mark.parametrize("name", ["parrot", "absorber"])
def test_with_srtp_optional_it_takes_calls_with_each_keying_and_without(tmp_path, name):
    expected = OWN if name == "parrot" else SILENCE
    asked = [echo(expected), *(to_sut(f"{expected}, encrypted: true", keying=f"[{keying}]") for keying in Keying)]
    with service(name, "--srtp", "Optional") as addresses, ThreadPoolExecutor() as pool:

        def told(number: int) -> str:
            (folder := tmp_path / str(number)).mkdir()
            return verdict(folder, asked[number], addresses[Transport.UDP])

        assert list(pool.map(told, range(len(asked)))) == ["Passed"] * 3


def test_with_srtp_mandatory_of_one_keying_it_refuses_the_others(tmp_path):
    with service("absorber", "--srtp", "Mandatory", "--keying", "DTLS") as addresses, ThreadPoolExecutor() as pool:

        def told(number: int) -> str:
            (folder := tmp_path / str(number)).mkdir()
            return verdict(folder, asked[number], addresses[Transport.UDP])

        asked = [echo(SILENCE), to_sut(SILENCE), to_sut(SILENCE, keying="[DTLS]")]
        plain, sdes, dtls = pool.map(told, range(len(asked)))
    assert (plain, dtls) == (f"Failed/{Reason.SIP_CODE_MISMATCH}", "Passed")
    assert sdes == f"Failed/{Reason.SRTP_REFUSED}"


def test_without_one_it_takes_calls_of_anybody(tmp_path):
    with service("parrot") as addresses:
        assert verdict(tmp_path, over_tls(), addresses[Transport.TLS]) == "Passed"


def test_a_port_that_is_taken_is_named(tmp_path):
    with service("parrot") as addresses, NamedTemporaryFile() as log:
        port = addresses[Transport.TCP].rpartition(":")[2]
        command = [
            sys.executable,
            "-m",
            "agent",
            "absorber",
            "--transport",
            "TCP",
            "--port",
            port,
            "--bind",
            "127.0.0.1",
        ]
        with Popen(command, stderr=log) as second:
            assert second.wait(30) == 2
        assert f"calltest-agent absorber: cannot open the phone on TCP 127.0.0.1:{port}: " in Path(log.name).read_text()


def over(transport: Transport, test: str) -> str:
    return test.replace("port: sip}", f"port: sip, transport: {transport}}}")
