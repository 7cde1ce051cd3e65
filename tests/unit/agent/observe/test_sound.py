"""What was heard is of the leg's own media; a stranger's sound is listened to only where it may prove it."""

import numpy as np

from agent.observe.sound import MAX_OTHERS, SILENCE, Sought, listen
from agent.sound.identity import encode
from tests.unit.agent import line
from tests.unit.agent.observe.test_sources import NEW, OTHER, PEER, agreed, row

OWN = Sought(own=1, others=(2, 3))


def heard(tracks, rows, codes=OWN):
    sound = listen(tracks, rows, [agreed()], codes, outgoing=False)
    return (sound.heard and sound.heard.codes), sound.proven


def test_all_accepted_addresses_are_heard_together():
    tracks = {PEER: encode(1, frames=3), "10.0.0.2:9": line.delay(encode(1, frames=4), 3 * 3840), OTHER: encode(2)}
    assert heard(tracks, [row(), row("10.0.0.2:9"), row(OTHER)]) == ({"1": 7}, frozenset())


def test_a_stranger_proves_itself_by_this_calls_signal():
    assert heard({OTHER: encode(1, frames=3)}, [row(OTHER)]) == ({"1": 3}, {OTHER})
    assert heard({OTHER: encode(2, frames=3)}, [row(OTHER)]) == (None, frozenset())
    assert heard({NEW: encode(1)}, [row(OTHER)]) == (None, frozenset()), "not recorded"
    both = {OTHER: encode(1, frames=3), NEW: encode(1, frames=3)}
    assert heard(both, [row(OTHER), row(NEW)]) == (None, frozenset())


def test_a_leg_that_does_not_know_its_call_believes_any_of_the_plans():
    unknown = Sought(others=(2, 3))
    assert heard({OTHER: encode(3, frames=3)}, [row(OTHER)], unknown) == ({"3": 3}, {OTHER})
    assert heard({OTHER: encode(7, frames=3)}, [row(OTHER)], unknown) == (None, frozenset())
    far = Sought(others=(*range(10, 10 + MAX_OTHERS), 3))
    assert heard({OTHER: encode(3, frames=3)}, [row(OTHER)], far) == (None, frozenset())


def test_early_media_is_not_heard():
    sound = listen({OTHER: encode(1, frames=3)}, [row(OTHER, mark=0)], [agreed()], OWN, outgoing=True)
    assert (sound.heard, sound.proven) == (None, frozenset())


def test_silence_has_a_length():
    sound = listen({SILENCE: np.zeros(8000, np.int16)}, [], [agreed()], OWN, outgoing=False)
    assert sound.heard is not None
    assert (sound.heard.duration_ms, sound.heard.active_ms) == (1000.0, 0.0)
    assert listen({}, [], [], OWN, outgoing=False).heard is None
