/* What an RTP packet's header says, and where its payload is: RFC 3550 §5.1. */
#ifndef CALLTEST_HEADER_H
#define CALLTEST_HEADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bytes.h"

#define RTP_HEADER_BYTES 12

/* A payload, counted from the end of the fixed header. What was captured of a packet may be less than it had on the
 * wire. */
struct rtp_payload {
    uint32_t offset;   /* never beyond what was captured */
    uint32_t captured; /* bytes there are, padding not counted where it is known */
    uint32_t wire;     /* bytes it had */
};

/* RTCP on the same port: as RTP it would have the marker bit, and payload types 64 to 95 (RFC 5761 §4). */
static inline bool rtp_is_rtcp(const uint8_t *packet) { return packet[1] >= 192 && packet[1] <= 223; }

/* Takes off what stands between the fixed header, of which `first` is the first byte, and the payload, and the padding
 * behind it; false where they are longer than the packet: it is no RTP (A.1). `behind` is what follows the header. */
static inline bool rtp_trim(const uint8_t *behind, uint8_t first, struct rtp_payload *payload) {
    uint32_t more = 4 * (first & 15u), padding = 0;
    if (first & 0x10) /* a cut before the extension's length leaves the payload unknown: there is none to read then */
        more += payload->captured >= more + 4 ? 4 + 4u * big16(behind + more + 2) : 4;
    if (first & 0x20 && payload->captured == payload->wire && payload->captured > 0)
        padding = behind[payload->captured - 1];
    if (more + padding > payload->wire) return false;
    payload->offset = more < payload->captured ? more : payload->captured;
    payload->wire -= more + padding;
    payload->captured = payload->captured > more + padding ? payload->captured - more - padding : 0;
    return true;
}

/* What stands in the fixed header, and where the payload is. */
struct rtp_header {
    uint32_t timestamp, ssrc;
    uint16_t number;
    uint8_t payload_type;
    bool marker;
    struct rtp_payload payload;
};

/* Reads a whole packet; false where it is no RTP. */
static inline bool rtp_read(const uint8_t *packet, size_t length, struct rtp_header *header) {
    if (length < RTP_HEADER_BYTES || packet[0] >> 6 != 2 || rtp_is_rtcp(packet)) return false;
    uint32_t behind = (uint32_t)length - RTP_HEADER_BYTES;
    *header = (struct rtp_header){.timestamp = big32(packet + 4),
                                  .ssrc = big32(packet + 8),
                                  .number = big16(packet + 2),
                                  .payload_type = packet[1] & 127,
                                  .marker = packet[1] >> 7,
                                  .payload = {.captured = behind, .wire = behind}};
    if (!rtp_trim(packet + RTP_HEADER_BYTES, packet[0], &header->payload)) return false;
    header->payload.offset += RTP_HEADER_BYTES;
    return true;
}

#endif
