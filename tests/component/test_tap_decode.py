"""What the tap makes of payloads that no encoder has made: by `dev/pjsua2/sanitized`, every access is checked."""

import pytest

from tests.component.test_stack_faults import told

PAYLOADS = 4000
"""Of each codec."""
MAX_SAMPLES = 4000
"""TAP_MAX_SAMPLES."""
CODECS = {"PCMU": 3, "PCMA": 4, "G722": 5, "GSM": 6, "speex": 7, "L16": 8, "opus": 9, "G729": 10}
"""enum tap_codec."""
DECODE = """
import random

chosen = random.Random(CODEC)
for name, shape in (("tap_decoder_new", ctypes.c_void_p), ("tap_decode", ctypes.c_size_t)):
    getattr(pjsip, name).restype = shape
decoder = ctypes.c_void_p(pjsip.tap_decoder_new(CODEC))
samples = (ctypes.c_int16 * MAX)()
most = 0
for number in range(PAYLOADS):
    length = chosen.choice((0, 1, 2, 9, 10, 33, 38, 80, 160, chosen.randrange(1500), chosen.randrange(65000)))
    payload = (ctypes.c_char * max(1, length)).from_buffer_copy(chosen.randbytes(max(1, length)))
    most = max(most, pjsip.tap_decode(decoder, payload, ctypes.c_size_t(length), samples))
pjsip.tap_decoder_free(decoder)
tell([bool(decoder.value), most])
"""


@pytest.mark.parametrize("codec", CODECS)
def test_a_payload_of_anything_is_so_many_samples_at_most(codec: str) -> None:
    script = DECODE.replace("CODEC", str(CODECS[codec])).replace("PAYLOADS", str(PAYLOADS))
    there, most = told(script.replace("MAX", str(MAX_SAMPLES)))
    assert there
    assert 80 <= most <= MAX_SAMPLES, "some of it was read"


def test_what_nothing_can_be_heard_of_has_no_decoder() -> None:
    assert (
        told("""
pjsip.tap_decoder_new.restype = ctypes.c_void_p
tell([pjsip.tap_decoder_new(codec) for codec in (0, 1, 2, 11)])
""")
        == [None] * 4
    )
