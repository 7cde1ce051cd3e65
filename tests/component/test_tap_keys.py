"""What the tap is told of SRTP."""

from tests.component.tap_counters import a_call


def test_what_was_read_of_srtp_earlier_does_not_stand_for_what_was_read_later() -> None:
    """Two threads read what it is, and tell of it in the other order."""
    with a_call("keys") as call:
        call.sdp()
        call.keys(ticket=2, active=True)
        call.keys(ticket=1, active=False)
        assert [guard.active for guard in call.guards()] == [True]
        call.keys(ticket=3, active=False)
        assert [guard.active for guard in call.guards()] == [False]
