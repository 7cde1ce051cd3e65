/* Where the records of a capture are: each says how long it is, and the next one is behind it. */
#include "bytes.h"
#include "kernel.h"

#define PCAP_HEADER 16
#define BLOCK_MIN 12
#define SECTION 0x0A0D0D0Au
#define ORDER_MAGIC 0x1A2B3C4Du

static uint32_t field(const uint8_t *at, bool swapped) { return swapped ? big32(at) : as_loaded(at); }

/* Sound and whole records from 0 on, until `end` or `room`; their number. A preallocated file's zeros are no records:
 * no packet has 0 bytes. */
int64_t trace_pcap(const uint8_t *data, int64_t end, const struct pcap_format *format, struct record *records,
                   int64_t room, struct walked *walked) {
    bool swapped = format->swapped;
    uint32_t fractions = 1000000000u / format->unit_ns;
    int64_t at = 0, count = 0;
    walked->damaged = false;
    for (; count < room && end - at >= PCAP_HEADER; count++) {
        const uint8_t *header = data + at;
        uint32_t fraction = field(header + 4, swapped), captured = field(header + 8, swapped);
        uint32_t wire = field(header + 12, swapped);
        walked->damaged = fraction >= fractions || captured > format->max_captured || captured > wire || wire == 0;
        if (walked->damaged) break;
        if (end - at - PCAP_HEADER < captured) break;
        records[count] = (struct record){
            .offset = at + PCAP_HEADER,
            .time_ns = (int64_t)field(header, swapped) * 1000000000 + (int64_t)fraction * format->unit_ns,
            .captured = captured,
            .wire = wire,
            .link = format->link,
        };
        at += PCAP_HEADER + (int64_t)captured;
    }
    walked->used = at;
    return count;
}

/* Sound and whole blocks (their length stands at both ends) from 0 on, until `end`, `room` or a section in another
 * byte order; their number. */
int64_t trace_pcapng(const uint8_t *data, int64_t end, uint8_t swapped, uint32_t max_length, int64_t *positions,
                     int64_t *lengths, int64_t room) {
    int64_t at = 0, count = 0;
    for (; count < room && end - at >= BLOCK_MIN; count++) {
        const uint8_t *block = data + at;
        uint32_t length = field(block + 4, swapped);
        if (length < BLOCK_MIN || length % 4 || length > max_length || length > end - at) break;
        if (field(block + length - 4, swapped) != length) break;
        if (as_loaded(block) == SECTION && field(block + 8, swapped) != ORDER_MAGIC) break;
        positions[count] = at;
        lengths[count] = length;
        at += length;
    }
    return count;
}
