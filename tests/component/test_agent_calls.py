"""Real agents call each other on loopback: what they say of it is what happened."""

import signal
import socket
import subprocess
import sys
import time
import urllib.request

import pytest

from agent.contract.call import Behaviour, Play, WavReference
from agent.contract.expect import Audio, Expect, ExpectDtmf, ExpectLeg, ExpectRtp
from agent.contract.observation import LegObservation, Side
from agent.contract.plan import Credentials, call_key, identity_code
from agent.contract.result import StopCause, decode_result
from agent.contract.verdict import Finding, Reason, Role
from tests.component.agents import PATIENCE_S, Agent, lane, make_group, make_plan, spoken_address

pytest.importorskip("pjsua2")


HOLD_S = 5
"""Time for five digits there and back."""


def expect(hold_s: int) -> Expect:
    leg = ExpectLeg(
        dtmf=ExpectDtmf(digits="1234#"),
        audio=Audio.OWN,
        rtp=ExpectRtp(min_packets=hold_s * 45, max_loss_percent="1"),
    )
    return Expect(caller=leg, callee=leg)


def faults(leg: LegObservation) -> list[Finding]:
    """What was wrong, but for what a loaded machine does to an agent."""
    return [finding for finding in leg.findings if finding.reason is not Reason.AGENT_OVERLOADED]


def code_of(number: int) -> str:
    return str(identity_code(call_key("uid-1", 0, "pin", number)))


def test_a_call_through_the_parrot_passes_on_both_legs(tmp_path):
    with lane(tmp_path, make_group(hold_seconds=HOLD_S, expect=expect(HOLD_S))) as pair:
        pair.go()
        pair.finish()
    (caller,), (callee,) = pair.caller.legs, pair.callee.legs
    for leg in (caller, callee):
        assert faults(leg) == []
        assert (leg.final_code, leg.call, leg.number) == (200, "pin", 0)
        assert leg.heard is not None
        assert list(leg.heard.codes) == [code_of(0)]
        assert "".join(digit.digit for digit in leg.dtmf_received) == "1234#"
        assert "".join(digit.digit for digit in leg.dtmf_sent) == "1234#"
    assert (caller.ended_by, callee.ended_by) == (Side.LOCAL, Side.REMOTE)
    assert (caller.bye_answered, callee.bye_answered) == (True, None)
    assert caller.negotiated is not None
    assert caller.negotiated.remote_rtp == callee.local_rtp
    for agent in (pair.caller, pair.callee):
        assert agent.result.final
        assert agent.digest_agrees()


def test_ten_calls_at_once_hear_each_its_own_audio(tmp_path):
    with lane(tmp_path, make_group(hold_seconds=HOLD_S, count=10, concurrency=10, expect=expect(HOLD_S))) as pair:
        pair.go()
        pair.finish()
    for agent in (pair.caller, pair.callee):
        assert sorted(leg.number for leg in agent.legs) == list(range(10))
        for leg in agent.legs:
            assert leg.heard is not None
            assert list(leg.heard.codes) == [code_of(leg.number or 0)]
            assert faults(leg) == []
    sent = {leg.number: leg.rtp_sent for leg in pair.caller.legs}
    for leg in pair.callee.legs:
        assert leg.rtp_received is not None
        assert (leg.rtp_received.packets or 0) + (leg.rtp_received.lost or 0) == pytest.approx(
            (sent[leg.number] or leg.rtp_received).packets, abs=2
        )


def test_an_absorber_is_silent_and_hears(tmp_path):
    listening = Expect(caller=ExpectLeg(audio=Audio.SILENCE), callee=ExpectLeg(audio=Audio.OWN))
    with lane(tmp_path, make_group(hold_seconds=3, dtmf=None, expect=listening), behaviour=Behaviour.ABSORBER) as pair:
        pair.go()
        pair.finish()
    assert [faults(leg) for leg in (*pair.caller.legs, *pair.callee.legs)] == [[], []]


def test_sigterm_in_a_call_hangs_up_and_leaves_a_final_result(tmp_path):
    with lane(tmp_path, make_group(hold_seconds=60)) as pair:
        pair.go()
        pair.callee.wait_for(lambda progress: progress.active == 1)
        time.sleep(0.5)
        pair.caller.process.send_signal(signal.SIGTERM)
        assert pair.caller.exit_code() == 0
        result = pair.caller.result
        assert (result.final, result.stopped, result.legs) == (True, StopCause.TERMINATED, 1)
        assert pair.caller.digest_agrees()
        (leg,) = pair.caller.legs
        assert (leg.ended_by, leg.bye_answered, leg.local_reason) == (Side.LOCAL, True, "the agent was terminated")
        pair.callee.wait_for(lambda progress: progress.ended == 1)
        assert pair.callee.legs[0].ended_by is Side.REMOTE


def test_sigkill_leaves_what_had_ended_and_no_final_result(tmp_path):
    with lane(tmp_path, make_group(hold_seconds=2, dtmf=None), make_group(name="long", hold_seconds=60)) as pair:
        pair.go()
        pair.caller.wait_for(lambda progress: progress.ended == 1 and progress.active == 1)
        pair.caller.process.kill()
        assert pair.caller.exit_code() == -signal.SIGKILL
        result = pair.caller.result
        assert (result.final, result.legs) == (False, 1)
        assert pair.caller.digest_agrees()


def test_a_missing_secret_key_is_named(tmp_path):
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret/username").write_text("alice")
    credentials = Credentials(directory=str(tmp_path / "secret"), secret_name="sip-alice")
    agent = Agent(tmp_path / "caller", make_plan(Role.CALLER, credentials=credentials))
    assert agent.exit_code() == 0
    assert agent.result.final
    assert agent.result.error is not None
    assert agent.result.error.reason is Reason.INPUT_MISSING
    assert "Secret sip-alice has no key password" in (agent.result.error.note or "")


def test_a_missing_wav_file_is_named_by_its_caller(tmp_path):
    group = make_group(play=Play(wav=WavReference(config_map_name="prompts", key="hello.wav")))
    agent = Agent(tmp_path / "caller", make_plan(Role.CALLER, group))
    assert agent.exit_code() == 0
    assert agent.result.final
    assert agent.result.error is not None
    assert agent.result.error.reason is Reason.INPUT_MISSING
    assert "ConfigMap prompts has no key hello.wav" in (agent.result.error.note or "")


def test_a_callee_needs_no_file_that_its_caller_plays(tmp_path):
    group = make_group(play=Play(wav=WavReference(config_map_name="prompts", key="hello.wav")))
    agent = Agent(tmp_path / "callee", make_plan(Role.CALLEE, group))
    try:
        agent.wait_for(lambda progress: progress.ready == 1)
    finally:
        agent.process.kill()
        agent.process.wait()


def test_a_port_in_use_is_an_error_of_the_agent(tmp_path):
    callee = Agent(tmp_path / "callee", make_plan(Role.CALLEE))
    try:
        address = callee.wait_for(lambda progress: progress.ready == 1).address or ""
        plan = make_plan(Role.CALLER).encode().replace(b'"sipPort":0', b'"sipPort":%d' % int(address.split(":")[1]))
        (tmp_path / "plan").write_bytes(plan)
        (tmp_path / "result").touch()
        files = [f"--{name}={tmp_path / name}" for name in ("plan", "signal", "result")]
        done = subprocess.run(
            [sys.executable, "-m", "agent", *files, "--bind=127.0.0.1"],
            capture_output=True,
            timeout=PATIENCE_S,
            check=False,
        )
    finally:
        callee.process.kill()
        callee.process.wait()
    assert done.returncode == 0
    error = decode_result((tmp_path / "result").read_bytes()).error
    assert error is not None
    assert error.reason is Reason.AGENT_ERROR
    assert "in use" in (error.note or "")


@pytest.mark.parametrize(("raw", "said"), [(b"{", "plan:"), (b'{"version": "other"}', "plan:"), (None, "No such file")])
def test_a_plan_that_cannot_be_used_is_exit_status_2(tmp_path, raw, said):
    if raw is not None:
        (tmp_path / "plan").write_bytes(raw)
    files = [f"--{name}={tmp_path / name}" for name in ("plan", "signal", "result")]
    done = subprocess.run(
        [sys.executable, "-m", "agent", *files], capture_output=True, timeout=PATIENCE_S, check=False, text=True
    )
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stdout == ""


def test_metrics_are_served_while_it_runs(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    agent = Agent(tmp_path / "callee", make_plan(Role.CALLEE), f"--metrics-port={port}")
    try:
        agent.wait_for(lambda progress: progress.ready == 1)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as page:
            assert b"calltest_agent_active_legs 0.0" in page.read()
    finally:
        agent.process.kill()
        agent.process.wait()


def test_a_parrot_without_a_plan_is_an_endpoint(tmp_path):
    with (tmp_path / "err").open("wb") as err:
        parrot = subprocess.Popen([sys.executable, "-m", "agent", "parrot", "--port=0", "--bind=127.0.0.1"], stderr=err)
    caller = None
    try:
        address = spoken_address(tmp_path / "err")
        group = make_group(hold_seconds=HOLD_S, expect=Expect(caller=expect(HOLD_S).caller))
        plan = make_plan(Role.CALLER, group, address=address)
        caller = Agent(tmp_path / "caller", plan)
        caller.signal(go=0)
        caller.wait_for(lambda progress: progress.done == 1)
        caller.signal(prepare=1, go=0)
        assert caller.exit_code() == 0
        assert [faults(leg) for leg in caller.legs] == [[]]
        parrot.send_signal(signal.SIGTERM)
        assert parrot.wait(PATIENCE_S) == 0
    finally:
        for process in (parrot, caller.process if caller else None):
            if process and process.poll() is None:
                process.kill()
                process.wait()
