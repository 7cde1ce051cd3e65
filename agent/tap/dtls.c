/* DTLS records (RFC 6347 §4.1): what of them is not enciphered. */
#include "tap.h"

#define RECORD_BYTES 13
#define HANDSHAKE_BYTES 12
#define ALERT 21
#define HANDSHAKE 22
#define CLIENT_HELLO 1
#define FATAL 2

/* By its first byte: RFC 7983 §7. */
bool tap_is_dtls(const uint8_t *packet, size_t length) { return length > 0 && packet[0] >= 20 && packet[0] <= 63; }

static void read_record(uint8_t type, const uint8_t *body, size_t length, struct tap_dtls *out) {
    if (type == HANDSHAKE && length >= HANDSHAKE_BYTES && body[0] == CLIENT_HELLO)
        out->hello |= !body[6] && !body[7] && !body[8]; /* its first fragment */
    if (type == ALERT && length == 2 && body[0] == FATAL && !out->alerted) out->alerted = true, out->alert = body[1];
}

/* The records of a datagram; nothing of those that are cut, or of an epoch with keys. */
struct tap_dtls tap_dtls_read(const uint8_t *packet, size_t length) {
    struct tap_dtls out = {0};
    while (length >= RECORD_BYTES) {
        size_t body = big16(packet + 11);
        if (body > length - RECORD_BYTES) break;
        if (big16(packet + 3) == 0) read_record(packet[0], packet + RECORD_BYTES, body, &out);
        packet += RECORD_BYTES + body;
        length -= RECORD_BYTES + body;
    }
    return out;
}
