/* Where the records of a capture are: each says how long it is, and the next one is behind it. */
#include "bytes.h"
#include "kernel.h"

#define PCAP_HEADER 16
#define BLOCK_MIN 12
#define SECTION 0x0A0D0D0Au
#define ORDER_MAGIC 0x1A2B3C4Du

static uint32_t field(const uint8_t *at, bool swapped) { return swapped ? big32(at) : as_loaded(at); }

/* A pcap record's header. */
struct heading {
    uint32_t seconds, fraction, captured, wire;
};

static struct heading heading(const uint8_t *at, bool swapped) {
    return (struct heading){field(at, swapped), field(at + 4, swapped), field(at + 8, swapped), field(at + 12, swapped)};
}

/* As the format has it. */
static bool sound(struct heading one, const struct pcap_format *format) {
    return one.fraction < 1000000000u / format->unit_ns && one.captured <= format->max_captured &&
           one.captured <= one.wire && one.wire > 0;
}

/* As some writers have it: more captured than there was on the wire (an FCS that was not counted), nothing on the wire,
 * a fraction that was not carried over. A preallocated file's zeros are no header. */
static bool possible(struct heading one, const struct pcap_format *format) {
    return one.captured <= format->max_captured && one.fraction < PCAP_MAX_CARRY_S * (1000000000u / format->unit_ns) &&
           (one.seconds || one.fraction || one.captured || one.wire);
}

static bool near(struct heading one, struct heading other) {
    int64_t apart_s = (int64_t)one.seconds - other.seconds;
    return apart_s <= PCAP_MAX_JUMP_S && apart_s >= -PCAP_MAX_JUMP_S;
}

enum successor { NONE, ANOTHER, NOT_THERE_YET };

/* What is at `next`, where an odd record says that its successor is: the length in an odd header is only believed where
 * it leads to another header. `ended`: nothing comes behind `end`. */
static enum successor successor(const uint8_t *data, int64_t next, int64_t end, bool ended, struct heading odd,
                                const struct pcap_format *format) {
    bool swapped = format->swapped;
    if (end - next < PCAP_HEADER) return ended ? ANOTHER : NOT_THERE_YET;
    struct heading found = heading(data + next, swapped);
    if (!(found.seconds || found.fraction || found.captured || found.wire)) return odd.captured ? ANOTHER : NONE;
    if (!possible(found, format)) return NONE;
    if (near(found, odd)) return ANOTHER;
    /* Another time: its own successor must say the same. */
    int64_t after = next + PCAP_HEADER + (int64_t)found.captured;
    if (!sound(found, format)) return NONE;
    if (end - after < PCAP_HEADER) return !ended ? NOT_THERE_YET : after == end ? ANOTHER : NONE;
    struct heading third = heading(data + after, swapped);
    return sound(third, format) && near(third, found) ? ANOTHER : NONE;
}

/* Whole records from 0 on, until `end`, `room`, or one that cannot be told from damage; their number. */
int64_t trace_pcap(const uint8_t *data, int64_t end, uint8_t ended, const struct pcap_format *format,
                   struct record *records, int64_t room, struct walked *walked) {
    int64_t at = 0, count = 0;
    walked->damaged = false;
    for (; count < room && end - at >= PCAP_HEADER; count++) {
        struct heading one = heading(data + at, format->swapped);
        bool odd = !sound(one, format);
        walked->damaged = odd && !possible(one, format);
        if (walked->damaged || end - at - PCAP_HEADER < one.captured) break;
        int64_t next = at + PCAP_HEADER + (int64_t)one.captured;
        if (odd) {
            enum successor found = successor(data, next, end, ended, one, format);
            walked->damaged = found == NONE;
            if (found != ANOTHER) break;
        }
        records[count] = (struct record){
            .offset = at + PCAP_HEADER,
            .time_ns = (int64_t)one.seconds * 1000000000 + (int64_t)one.fraction * format->unit_ns,
            .captured = one.captured,
            .wire = one.wire < one.captured ? one.captured : one.wire,
            .link = format->link,
        };
        at = next;
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
