/* Running counters of one RTP stream, and what each epoch had of them. Not thread-safe: its call guards it. */
#include <math.h>
#include <stdlib.h>

#include "counting.h"
#include "tap.h"
#include "types.h"

#define MAX_MISSING 256 /* gaps that late packets may still fill */

/* What is added up, packet by packet. */
struct totals {
    int64_t packets, bytes, unnegotiated, empty, noise, timed, jitter_samples;
    double jitter_sum_ns;
    int64_t expected, duplicates, reordered, restarts;
    int64_t fates[TAP_FATES];
    struct rtp_time time;
};

/* The last packet that SRTP refused and may have been none: what follows of them may show that. */
struct suspect {
    bool is_one;
    uint16_t number;
    uint32_t timestamp, bytes; /* of its payload */
    enum tap_fate fate;        /* as which it was counted */
};

struct tap_row {
    struct tap_row *before; /* of the same stream */
    int32_t number;
    bool has_packets;
    uint32_t epoch, last_epoch;
    struct totals begun, ended; /* the stream's; the second once another row is on */
    double jitter_ns, max_jitter_ns;
    int64_t max_gap_ns, max_late_ns, first_ns, last_ns, first_monotonic_ns, last_monotonic_ns;
    uint32_t payload_types[128];
    uint32_t gap_count, refused_events;
    struct rtp_gap gaps[TAP_MAX_GAPS];
};

struct tap_counter {
    bool sent;
    struct tap_row *row; /* the newest */
    struct totals so_far; /* without what the others below have */
    struct rtp_sequence sequence;
    struct rtp_jitter jitter;
    struct rtp_media media;
    struct rtp_gap *restart; /* the last one, if it was told */
    struct suspect suspect;
    uint32_t plain_bytes; /* of payloads that were found to be plain; 0: none was */
    bool has_grid, gaps_left_out;
    double offset_ns, earliest_ns; /* of the grid: how far the last audio packet, and the earliest, were behind it */
    struct rtp_holes holes;
    struct rtp_hole missing[MAX_MISSING];
    int32_t digit_count, digits_opened;
    struct rtp_open_event open[RTP_OPEN_EVENTS];
    struct rtp_event digits[TAP_MAX_DIGITS];
};

struct tap_counter *tap_counter_new(bool sent) {
    struct tap_counter *counter = calloc(1, sizeof *counter);
    if (counter) {
        counter->sent = sent;
        counter->jitter.tick_ns = NAN;
        counter->holes = (struct rtp_holes){.at = counter->missing, .room = MAX_MISSING, .spare = -1};
    }
    return counter;
}

void tap_counter_free(struct tap_counter *counter) {
    for (struct tap_row *row = counter->row, *before; row; row = before) {
        before = row->before;
        free(row);
    }
    free(counter);
}

static struct totals totals_of(const struct tap_counter *counter) {
    struct totals totals = counter->so_far;
    totals.expected = totals.packets ? rtp_sequence_expected(&counter->sequence) : 0;
    totals.duplicates = counter->sequence.duplicates;
    totals.reordered = counter->sequence.reordered;
    totals.restarts = counter->sequence.restarts;
    totals.time = counter->media.time;
    return totals;
}

/* From now on what is counted is that row's; NULL where there is no memory. */
struct tap_row *tap_row_new(struct tap_counter *counter, uint32_t epoch, int32_t number) {
    struct tap_row *row = calloc(1, sizeof *row);
    if (!row) return NULL;
    row->epoch = row->last_epoch = epoch;
    row->number = number;
    row->max_gap_ns = row->max_late_ns = -1;
    row->begun = totals_of(counter);
    if (counter->row) counter->row->ended = row->begun;
    row->before = counter->row;
    counter->row = row;
    return row;
}

uint32_t tap_row_epoch(const struct tap_row *row) { return row->last_epoch; }

/* There is no room for a row of its own. */
void tap_row_last(struct tap_row *row, uint32_t epoch) { row->last_epoch = epoch; }

/* --- one packet --- */

/* What an RTP packet says; false where it is none. */
bool tap_rtp(const uint8_t *packet, size_t length, struct rtp_header *header) {
    return rtp_read(packet, length, header);
}

static enum rtp_kind kind_of(const struct tap_formats *formats, const struct rtp_header *packet) {
    uint8_t type = packet->payload_type, codec = formats->codec[type];
    if (!packet->payload.wire) return RTP_OTHER;
    if (!formats->clock_hz[type]) return type == RTP_COMFORT_NOISE ? RTP_NOISE : RTP_OTHER;
    return codec == TAP_EVENT ? RTP_EVENT : codec == TAP_NOISE ? RTP_NOISE : RTP_AUDIO;
}

/* Jitter, and how far behind the grid of its timestamps a packet is. */
static void count_audio(struct tap_counter *counter, uint32_t timestamp, double tick_ns, int64_t now_ns) {
    struct tap_row *row = counter->row;
    double moved_ns = rtp_jitter_add(&counter->jitter, counter->sequence.came, now_ns, timestamp, tick_ns);
    counter->so_far.timed++;
    if (counter->sequence.came & (RTP_CAME_ASIDE | RTP_CAME_ODDLY)) return;
    if (isnan(moved_ns)) {
        counter->has_grid = false;
    } else {
        counter->so_far.jitter_sum_ns += counter->jitter.value_ns;
        counter->so_far.jitter_samples++;
        row->jitter_ns = counter->jitter.value_ns;
        if (row->jitter_ns > row->max_jitter_ns) row->max_jitter_ns = row->jitter_ns;
    }
    if (!counter->has_grid) counter->offset_ns = counter->earliest_ns = moved_ns = 0;
    counter->has_grid = true;
    counter->offset_ns += moved_ns;
    if (counter->offset_ns < counter->earliest_ns) counter->earliest_ns = counter->offset_ns;
    int64_t late_ns = (int64_t)(counter->offset_ns - counter->earliest_ns);
    if (late_ns > row->max_late_ns) row->max_late_ns = late_ns;
}

/* A plain packet is refused for what SRTP looks at first: that there are no keys, that it had its number, or its tag. */
static bool may_be_plain(enum tap_fate fate) {
    return fate == TAP_KEYLESS || fate == TAP_REPLAYED || fate == TAP_UNAUTHENTIC;
}

/* Packets of a plain sender fail in SRTP, as those of wrong keys do. A payload of G.711 that is as long as its timestamps
 * say, to the octet, has no authentication tag behind it (RFC 3711 §3.1), and neither has an event of four: it is plain.
 * What is sent beside SRTP has that between any two of its packets. */
static void count_fate(struct tap_counter *counter, enum tap_codec codec, const struct tap_counted *packet) {
    int64_t *fates = counter->so_far.fates;
    const struct rtp_header *header = &packet->header;
    const struct suspect before = counter->suspect;
    uint32_t bytes = header->payload.wire;
    bool is_g711 = codec == TAP_PCMU || codec == TAP_PCMA;
    bool is_suspect = may_be_plain(packet->fate) && is_g711 && bytes > 0;
    bool follows = before.is_one && is_suspect && header->number == (uint16_t)(before.number + 1);
    bool was_plain = follows && before.bytes == bytes && header->timestamp - before.timestamp == bytes;
    if (was_plain) {
        counter->plain_bytes = before.bytes;
        fates[before.fate]--;
        fates[TAP_PLAIN]++;
    }
    bool is_event = may_be_plain(packet->fate) && codec == TAP_EVENT && bytes == RTP_EVENT_BYTES;
    bool is_plain = is_event || (is_suspect && bytes == counter->plain_bytes);
    if (is_suspect) /* one that is counted as plain shows nothing new of what follows */
        counter->suspect =
            (struct suspect){true, header->number, header->timestamp, is_plain ? 0 : bytes, packet->fate};
    fates[is_plain ? TAP_PLAIN : packet->fate]++;
}

/* One packet of a named event: RFC 4733 §2.3. */
static void count_event(struct tap_counter *counter, const struct rtp_header *packet, uint32_t head, double tick_ns,
                        int64_t now_ns) {
    struct rtp_event_store store = {.events = counter->digits,
                                    .count = &counter->digit_count,
                                    .room = TAP_MAX_DIGITS,
                                    .opened = &counter->digits_opened,
                                    .open = counter->open};
    struct rtp_event_packet event = {.at_ns = now_ns,
                                     .tick_ns = tick_ns,
                                     .timestamp = packet->timestamp,
                                     .head = head,
                                     .owner = counter->row->number,
                                     .number = packet->number,
                                     .payload_type = packet->payload_type,
                                     .marker = packet->marker,
                                     .declared = true};
    counter->row->refused_events += !rtp_event_add(&store, &event);
}

/* The gap of any row that a late packet's number is in; NULL. */
static struct rtp_gap *gap_of(const struct tap_counter *counter, int64_t number) {
    for (struct tap_row *row = counter->row; row; row = row->before)
        for (uint32_t i = row->gap_count < TAP_MAX_GAPS ? row->gap_count : TAP_MAX_GAPS; i-- > 0;)
            if (row->gaps[i].begin <= number && number < row->gaps[i].end) return &row->gaps[i];
    return NULL;
}

static void count_time(struct tap_counter *counter, const struct rtp_piece *piece) {
    struct tap_row *row = counter->row;
    struct rtp_gap gaps[2], none = {0};
    int count = rtp_media_add(&counter->media, piece, gaps);
    if (counter->media.taken_back && row->gap_count > 0) row->gap_count--;
    if (piece->came & RTP_CAME_BACK && counter->restart) counter->restart->missing_ns = 0; /* it was none */
    if (piece->came & RTP_CAME_ANEW) counter->restart = NULL;
    for (int i = 0; i < count; i++) {
        struct rtp_gap *kept = row->gap_count < TAP_MAX_GAPS ? &row->gaps[row->gap_count] : NULL;
        if (kept)
            *kept = gaps[i];
        else
            counter->gaps_left_out = true;
        if (gaps[i].kind == RTP_RESTART) counter->restart = kept;
        row->gap_count++;
    }
    if (!(piece->came & RTP_CAME_LATE) || piece->came & RTP_CAME_ASIDE) return;
    struct rtp_gap *gap = gap_of(counter, piece->number);
    rtp_media_fill(&counter->media, piece, gap || counter->gaps_left_out ? gap : &none);
}

static void count_times(struct tap_row *row, int64_t real_ns, int64_t monotonic_ns) {
    if (!row->has_packets)
        row->first_ns = real_ns, row->first_monotonic_ns = monotonic_ns;
    else if (monotonic_ns - row->last_monotonic_ns > row->max_gap_ns)
        row->max_gap_ns = monotonic_ns - row->last_monotonic_ns;
    row->last_monotonic_ns = monotonic_ns;
    row->last_ns = real_ns;
    row->has_packets = true;
}

/* One RTP packet, of the newest row. */
void tap_count(struct tap_counter *counter, const struct tap_formats *formats, const struct tap_counted *counted) {
    struct totals *so_far = &counter->so_far;
    const struct rtp_header *packet = &counted->header;
    const struct rtp_payload *payload = &packet->payload;
    int64_t monotonic_ns = counted->at.monotonic_ns;
    uint32_t clock_hz = formats->clock_hz[packet->payload_type];
    enum tap_codec codec = formats->codec[packet->payload_type];
    enum rtp_kind kind = kind_of(formats, packet);
    double tick_ns = clock_hz ? 1e9 / clock_hz : 0;
    bool is_told = kind == RTP_EVENT && counted->bytes && payload->captured >= RTP_EVENT_BYTES;
    uint32_t head = is_told ? big32(counted->bytes + payload->offset) : 0;
    struct rtp_arrival arrival = {.at_ns = monotonic_ns,
                                  .tick_ns = tick_ns,
                                  .timestamp = packet->timestamp + rtp_event_told(head),
                                  .number = packet->number,
                                  .audio = kind == RTP_AUDIO || (kind == RTP_OTHER && payload->wire),
                                  .marker = packet->marker};
    if (so_far->packets == 0) rtp_sequence_begin(&counter->sequence, packet->number);
    struct rtp_piece piece = {.at_ns = monotonic_ns,
                              .number = rtp_sequence_add(&counter->sequence, &counter->holes, &arrival),
                              .tick_ns = tick_ns,
                              .timestamp = packet->timestamp,
                              .ticks = kind == RTP_EVENT ? rtp_event_told(head) : 0,
                              .kind = kind,
                              .marker = packet->marker,
                              .came = counter->sequence.came};
    if (kind == RTP_AUDIO && counted->bytes && (codec == TAP_PCMU || codec == TAP_PCMA)) piece.ticks = payload->wire;
    count_times(counter->row, counted->at.real_ns, monotonic_ns);
    count_fate(counter, codec, counted);
    counter->row->payload_types[packet->payload_type]++;
    so_far->packets++;
    so_far->bytes += (int64_t)counted->wire_bytes;
    so_far->empty += payload->wire == 0;
    so_far->noise += kind == RTP_NOISE;
    so_far->unnegotiated += kind == RTP_OTHER && payload->wire > 0;
    if (kind == RTP_AUDIO) count_audio(counter, packet->timestamp, tick_ns, monotonic_ns);
    if (is_told) count_event(counter, packet, head, tick_ns, monotonic_ns);
    count_time(counter, &piece);
}

/* The sender began anew: time that passed before is not lateness. */
void tap_counter_regrid(struct tap_counter *counter) { counter->has_grid = false; }

/* --- what is asked --- */

static void read_totals(const struct totals *from, const struct totals *to, struct tap_stream *out) {
    out->packets = to->packets - from->packets;
    out->bytes = to->bytes - from->bytes;
    out->expected = to->expected - from->expected;
    out->duplicates = to->duplicates - from->duplicates;
    out->reordered = to->reordered - from->reordered;
    out->restarts = to->restarts - from->restarts;
    out->lost = out->expected - (out->packets - out->duplicates);
    out->unnegotiated = to->unnegotiated - from->unnegotiated;
    out->empty = to->empty - from->empty;
    out->noise = to->noise - from->noise;
    out->timed = to->timed - from->timed;
    for (int i = 0; i < TAP_FATES; i++) out->fates[i] = to->fates[i] - from->fates[i];
    out->jitter_samples = to->jitter_samples - from->jitter_samples;
    out->mean_jitter_ms =
        out->jitter_samples ? (to->jitter_sum_ns - from->jitter_sum_ns) / 1e6 / (double)out->jitter_samples : 0;
    out->time.media_ns = to->time.media_ns - from->time.media_ns;
    out->time.event_ns = to->time.event_ns - from->time.event_ns;
    out->time.lost_ns = to->time.lost_ns - from->time.lost_ns;
    out->time.pause_ns = to->time.pause_ns - from->time.pause_ns;
    out->time.span_ns = to->time.span_ns - from->time.span_ns;
}

/* A row as it stands; the caller fills in whose it is. */
void tap_row_read(const struct tap_counter *counter, const struct tap_row *row, struct tap_stream *out) {
    struct totals now = totals_of(counter);
    read_totals(&row->begun, row == counter->row ? &now : &row->ended, out);
    out->sent = counter->sent;
    out->epoch = row->epoch;
    out->last_epoch = row->last_epoch;
    out->jitter_ms = row->jitter_ns / 1e6;
    out->max_jitter_ms = row->max_jitter_ns / 1e6;
    out->max_gap_ns = row->max_gap_ns;
    out->max_late_ns = row->max_late_ns;
    out->first_ns = row->first_ns;
    out->last_ns = row->last_ns;
    out->first_monotonic_ns = row->first_monotonic_ns;
    out->last_monotonic_ns = row->last_monotonic_ns;
    for (int i = 0; i < 128; i++) out->payload_types[i] = row->payload_types[i];
    out->refused_events = row->refused_events;
    out->gap_count = row->gap_count > TAP_MAX_GAPS ? row->gap_count - TAP_MAX_GAPS : 0;
    for (uint32_t i = 0, shown = 0; i < row->gap_count && i < TAP_MAX_GAPS; i++) {
        if (row->gaps[i].missing_ns <= 0) continue; /* late packets filled it, or it was none */
        out->gaps[shown++] = row->gaps[i];
        out->gap_count++;
    }
    out->digit_count = 0;
    for (int32_t i = 0; i < counter->digit_count; i++) {
        const struct rtp_event *digit = &counter->digits[i];
        bool has_length = digit->ticks > 0 || digit->last_segment != digit->timestamp;
        if (digit->owner == row->number && has_length) out->digits[out->digit_count++] = *digit;
    }
}
