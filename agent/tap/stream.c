/* Running counters of one RTP stream. Not thread-safe: its call guards it. */
#include <math.h>
#include <stdlib.h>

#include "counting.h"
#include "tap.h"

#define MAX_MISSING 256 /* gaps that late packets may still fill */
#define RTP_HEADER_BYTES 12
#define SEGMENT_TICKS 0xFFFF /* RFC 4733 §2.5.1.3 */
#define OPEN_DIGITS 16       /* digits whose packets may still come */

struct tap_counter {
    struct tap_stream shown;
    struct rtp_sequence sequence;
    struct rtp_jitter jitter;
    double jitter_sum_ns;
    bool has_grid;
    double offset_ns, earliest_ns; /* of the grid: how far the last audio packet, and the earliest, were behind it */
    struct rtp_holes holes;
    struct rtp_hole missing[MAX_MISSING];
};

struct tap_counter *tap_counter_new(bool sent) {
    struct tap_counter *counter = calloc(1, sizeof *counter);
    if (counter) {
        counter->shown.sent = sent;
        counter->shown.max_gap_ns = counter->shown.max_late_ns = -1;
        counter->jitter.tick_ns = NAN;
        counter->holes = (struct rtp_holes){.at = counter->missing, .room = MAX_MISSING, .spare = -1};
    }
    return counter;
}

void tap_counter_free(struct tap_counter *counter) { free(counter); }

/* RFC 3550 A.1; RTCP on the same port has payload types 64 to 95 once the marker bit is taken off (RFC 5761 §4). */
bool tap_is_rtp(const uint8_t *packet, size_t length) {
    return length >= RTP_HEADER_BYTES && packet[0] >> 6 == 2 && !(packet[1] >= 192 && packet[1] <= 223);
}

/* Jitter, and how far behind the grid of its timestamps a packet is. */
static void count_audio(struct tap_counter *counter, uint32_t timestamp, uint32_t clock_hz, int64_t now_ns) {
    double moved_ns = rtp_jitter_add(&counter->jitter, now_ns, timestamp, 1e9 / clock_hz);
    if (isnan(moved_ns)) {
        counter->has_grid = false;
    } else {
        counter->jitter_sum_ns += counter->jitter.value_ns;
        counter->shown.jitter_samples++;
    }
    if (!counter->has_grid) counter->offset_ns = counter->earliest_ns = moved_ns = 0;
    counter->has_grid = true;
    counter->offset_ns += moved_ns;
    if (counter->offset_ns < counter->earliest_ns) counter->earliest_ns = counter->offset_ns;
    int64_t late_ns = (int64_t)(counter->offset_ns - counter->earliest_ns);
    if (late_ns > counter->shown.max_late_ns) counter->shown.max_late_ns = late_ns;
}

/* The payload of an RTP packet: its offset, and its length in `length`; 0 where it has none that can be told. */
size_t tap_payload(const uint8_t *packet, size_t *length) {
    size_t offset = RTP_HEADER_BYTES + 4 * (size_t)(packet[0] & 15), end = *length;
    if (packet[0] & 0x10 && offset + 4 <= end)
        offset += 4 + 4 * (size_t)(packet[offset + 2] << 8 | packet[offset + 3]);
    if (packet[0] & 0x20 && packet[end - 1] <= end) end -= packet[end - 1];
    *length = offset < end ? end - offset : 0;
    return offset;
}

/* The digit that a packet is of, begun where it is new; NULL where there is no room. */
static struct tap_digit *digit_of(struct tap_stream *shown, uint8_t code, uint32_t timestamp) {
    for (uint32_t i = shown->digit_count; i-- > 0 && i + OPEN_DIGITS >= shown->digit_count;) {
        struct tap_digit *known = i < TAP_MAX_DIGITS ? &shown->digits[i] : NULL;
        if (!known || known->code != code || (timestamp - known->timestamp) % SEGMENT_TICKS) continue;
        uint32_t segment = (timestamp - known->timestamp) / SEGMENT_TICKS;
        if (segment <= known->segments) return known;
        if (segment == known->segments + 1 && !known->end_packets) {
            known->segments = segment;
            known->ticks = 0;
            return known;
        }
    }
    if (shown->digit_count++ >= TAP_MAX_DIGITS) return NULL;
    struct tap_digit *begun = &shown->digits[shown->digit_count - 1];
    *begun = (struct tap_digit){.code = code, .timestamp = timestamp};
    return begun;
}

/* One packet of a named event: RFC 4733 §2.3. */
static void count_event(struct tap_stream *shown, const uint8_t *packet, size_t length, uint32_t timestamp,
                        uint32_t clock_hz, int64_t now_ns) {
    const uint8_t *event = packet + tap_payload(packet, &length);
    struct tap_digit *digit = length >= 4 ? digit_of(shown, event[0], timestamp) : NULL;
    if (!digit) return;
    if (!digit->packets++) {
        digit->first_ns = now_ns;
        digit->clock_hz = clock_hz;
        digit->payload_type = packet[1] & 127;
        digit->marker = packet[1] >> 7;
        digit->volume = event[1] & 63;
    }
    digit->last_ns = now_ns;
    digit->end_packets += event[1] >> 7;
    uint32_t ticks = (uint32_t)event[2] << 8 | event[3];
    bool on = timestamp - digit->timestamp == digit->segments * SEGMENT_TICKS; /* else of an earlier segment */
    if (on && ticks > digit->ticks) digit->ticks = ticks;
}

/* One RTP packet (see tap_is_rtp). */
void tap_count(struct tap_counter *counter, const struct tap_formats *formats, const uint8_t *packet, size_t length,
               int64_t real_ns, int64_t monotonic_ns) {
    struct tap_stream *shown = &counter->shown;
    uint8_t payload_type = packet[1] & 127;
    uint32_t timestamp = (uint32_t)packet[4] << 24 | packet[5] << 16 | packet[6] << 8 | packet[7];
    uint16_t number = (uint16_t)(packet[2] << 8 | packet[3]);
    if (shown->packets == 0) rtp_sequence_begin(&counter->sequence, number);
    rtp_sequence_add(&counter->sequence, &counter->holes, number);
    if (shown->packets == 0)
        shown->first_ns = real_ns, shown->first_monotonic_ns = monotonic_ns;
    else if (monotonic_ns - shown->last_monotonic_ns > shown->max_gap_ns)
        shown->max_gap_ns = monotonic_ns - shown->last_monotonic_ns;
    shown->last_monotonic_ns = monotonic_ns;
    shown->last_ns = real_ns;
    shown->packets++;
    shown->bytes += length;
    shown->payload_types[payload_type]++;
    uint32_t clock_hz = formats->clock_hz[payload_type];
    if (!clock_hz)
        shown->unnegotiated++;
    else if (formats->codec[payload_type] == TAP_EVENT)
        count_event(shown, packet, length, timestamp, clock_hz, monotonic_ns);
    else
        count_audio(counter, timestamp, clock_hz, monotonic_ns);
}

/* The sender began anew: time that passed before is not lateness. */
void tap_counter_regrid(struct tap_counter *counter) { counter->has_grid = false; }

/* The counters as they stand; the caller fills in whose they are. */
struct tap_stream *tap_counter_read(struct tap_counter *counter) {
    struct tap_stream *shown = &counter->shown;
    const struct rtp_sequence *sequence = &counter->sequence;
    shown->expected = shown->packets ? (uint64_t)(sequence->highest - sequence->lowest + 1) : 0;
    shown->duplicates = (uint64_t)sequence->duplicates;
    shown->reordered = (uint64_t)sequence->reordered;
    shown->lost = shown->expected - (shown->packets - shown->duplicates);
    shown->jitter_ms = counter->jitter.value_ns / 1e6;
    shown->max_jitter_ms = counter->jitter.max_ns / 1e6;
    shown->mean_jitter_ms = shown->jitter_samples ? counter->jitter_sum_ns / 1e6 / (double)shown->jitter_samples : 0;
    return shown;
}
