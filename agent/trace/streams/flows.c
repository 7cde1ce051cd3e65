/* Which stream each packet belongs to, and what it adds to it. */
#include "kernel.h"

#include <string.h>

#define TYPES 128
#define DYNAMIC 96 /* payload types that mean nothing without SDP: RFC 3551 §3 */
#define LAST_KEY 16 /* flash: RFC 4733 §3.2 */
#define SILENT_NS INT64_C(1000000000)  /* what comes again after this was not on its way all the time */
#define LONG_NS INT64_C(60000000000)   /* without a call that says otherwise, what follows on this is another */
#define TAIL_NS INT64_C(2000000000)    /* what was under way when a call ended comes within this */
#define LATE_NS INT64_C(200000000)     /* and late packets of it within this */
#define REPLAYED 50    /* first packets of a replay that may be lost */
#define MAX_STEP 20000 /* ticks of one packet: agent/rtp/counting.c */

static int64_t first_slot(const struct table *table, uint64_t hosts, uint64_t rest) {
    uint64_t mixed = (hosts ^ table->seed) * 0x9E3779B97F4A7C15u;
    mixed = (mixed ^ mixed >> 32 ^ rest) * 0xC2B2AE3D27D4EB4Fu;
    return (int64_t)(mixed >> table->slot_shift); /* only its highest bits depend on all of the key */
}

/* The slot that has the flow, or the free one where it belongs. There always is a free one: struct table. */
static int32_t *slot_of(const struct table *table, uint64_t hosts, uint64_t rest) {
    int64_t slot = first_slot(table, hosts, rest);
    for (;; slot = (slot + 1) & table->slot_mask) {
        int32_t row = table->slots[slot];
        if (row < 0 || (table->flows[row].hosts == hosts && table->flows[row].rest == rest)) return &table->slots[slot];
    }
}

static int64_t place(uint64_t host, uint64_t port) { return (int64_t)((host & 0xFFFFFFFF) << 16 | (port & 0xFFFF)); }

/* Numbers and timestamps of the flow's first packets: a recording that is played again, as load generators do. */
static bool is_replay(const struct flow *flow, const struct packet *packet) {
    int64_t span = flow->sequence.now.highest - flow->sequence.now.lowest;
    uint16_t after = (uint16_t)(packet->number - flow->first_number);
    return span >= 3 && after <= span && after < REPLAYED &&
           packet->timestamp - flow->first_timestamp <= after * (uint32_t)MAX_STEP;
}

/* Whether timestamps went on with the time that passed; where nothing is known of their clock, they may have. */
static bool is_in_time(const struct flow *flow, const struct packet *packet, int64_t waited_ns) {
    const struct rtp_line *line = &flow->sequence.now.line;
    if (!line->known || line->tick_ns <= 0) return true;
    double moved_ns = (double)(int32_t)(packet->timestamp - line->timestamp) * line->tick_ns;
    return __builtin_fabs(moved_ns - (double)waited_ns) <= (double)waited_ns / 8;
}

/* Whether a packet of a flow's addresses and SSRC begins another one. */
static bool is_another(const struct flow *flow, const struct packet *packet) {
    int64_t waited_ns = rtp_waited_ns(flow->last_ns, packet->time_ns);
    if (flow->state <= FLOW_IN_CALL && waited_ns <= SILENT_NS) return false;
    if (flow->state == FLOW_CLOSED || is_replay(flow, packet)) return true;
    if (flow->state == FLOW_IN_CALL) return false;
    int16_t ahead = (int16_t)(uint16_t)(packet->number - (uint16_t)flow->sequence.now.last);
    if (flow->state == FLOW_ALONE)
        return waited_ns > LONG_NS && (ahead > RTP_MAX_DROPOUT || ahead < -RTP_MAX_MISORDER) &&
               !is_in_time(flow, packet, waited_ns);
    if (ahead <= 0) return ahead < -RTP_MAX_MISORDER || waited_ns > LATE_NS;
    return ahead > RTP_MAX_MISORDER || waited_ns > TAIL_NS;
}

/* A row for the flow of a packet, which takes the place of another (-1: none); there must be room. */
static int32_t flow_new(struct table *table, const struct packet *packet, int32_t before) {
    int32_t row = table->free_flow;
    if (row >= 0) {
        table->free_flow = table->flows[row].next_free;
        table->free_flows--;
    } else {
        row = table->flow_count++;
    }
    struct flow *flow = &table->flows[row];
    *flow = (struct flow){
        .hosts = packet->hosts,
        .rest = packet->rest,
        .source = place(packet->hosts, packet->rest),
        .destination = place(packet->hosts >> 32, packet->rest >> 16),
        .order = table->order++,
        .first_ns = packet->time_ns,
        .last_ns = packet->time_ns,
        .jitter.tick_ns = __builtin_nan(""),
        .first_timestamp = packet->timestamp,
        .first_number = packet->number,
        .before = before,
        .live = 1,
    };
    if (before >= 0) table->flows[before].followed = 1;
    rtp_sequence_begin(&flow->sequence, packet->number);
    memset(table->by_type + (int64_t)row * TYPES, 0, TYPES * sizeof *table->by_type);
    return row;
}

/* Whether one more packet might find no room where there could be more. */
static bool is_cramped(const struct table *table) {
    const struct rtp_holes *holes = &table->holes;
    return (table->free_flow < 0 && table->flow_count == table->flow_room) ||
           (table->event_count == table->event_room && table->event_room < MAX_EVENTS) ||
           (holes->room - holes->used + holes->spares < 1 && holes->room < table->max_holes);
}

/* Events, and which of them by SDP: others have four bytes, and never had more. */
static bool is_event(struct flow *flow, const struct packet *packet, uint8_t kind) {
    if (kind != MEANS_UNKNOWN || packet->payload_type < DYNAMIC) return kind == MEANS_EVENT;
    uint64_t bit = 1ull << packet->payload_type % 64, *never = &flow->not_event[packet->payload_type / 64];
    if (packet->wire != RTP_EVENT_BYTES) *never |= bit;
    return !(*never & bit);
}

static void count_event(struct table *table, const struct packet *packet, int32_t row, double tick_ns, bool declared,
                        bool marker) {
    struct rtp_event_store store = {.events = table->events,
                                    .count = &table->event_count,
                                    .room = table->event_room, /* it has grown to MAX_EVENTS */
                                    .opened = &table->flows[row].opened,
                                    .open = table->open + (int64_t)row * RTP_OPEN_EVENTS};
    struct rtp_event_packet event = {.at_ns = packet->time_ns,
                                     .tick_ns = tick_ns,
                                     .timestamp = packet->timestamp,
                                     .head = packet->head,
                                     .owner = row,
                                     .number = packet->number,
                                     .payload_type = packet->payload_type,
                                     .marker = marker,
                                     .declared = declared};
    if (!rtp_event_add(&store, &event)) table->refused_events++;
}

/* A packet of audio in order, whose clock is not known. */
static void pace_add(struct pace *pace, const struct packet *packet) {
    int64_t ticks = (int32_t)(packet->timestamp - pace->timestamp), ns = rtp_waited_ns(pace->at_ns, packet->time_ns);
    if (pace->packets++ && ticks > 0 && ns > 0 && ns <= SILENT_NS) {
        pace->ticks += ticks;
        pace->ns += ns;
    }
    pace->timestamp = packet->timestamp;
    pace->at_ns = packet->time_ns;
}

/* Whether it is one, by what SDP declared; of ciphertext, a part of it would be taken for the code. */
static bool is_told(struct flow *flow, const struct packet *packet, uint8_t kind) {
    if (packet->captured < RTP_EVENT_BYTES) return false;
    if (kind != MEANS_EVENT || packet->wire == RTP_EVENT_BYTES) return true;
    bool wild = packet->head >> 24 > LAST_KEY;
    flow->odd_events++;
    flow->wild_events += wild;
    return !wild;
}

static void count(struct table *table, const struct meanings *meanings, struct packet *packet, int32_t row) {
    struct flow *flow = &table->flows[row];
    int64_t meaning = flow->meaning < meanings->count ? flow->meaning : 0;
    int64_t waited_ns = rtp_waited_ns(flow->last_ns, packet->time_ns);
    int64_t cell = meaning * TYPES + packet->payload_type;
    uint8_t kind = meanings->kind[cell];
    bool marker = packet->event, event = is_event(flow, packet, kind);
    bool told = event && !meanings->encrypted[meaning] && is_told(flow, packet, kind);
    struct rtp_arrival arrival = {.at_ns = packet->time_ns,
                                  .tick_ns = kind == MEANS_UNKNOWN ? 0 : meanings->tick_ns[cell],
                                  .timestamp = packet->timestamp + (told ? rtp_event_told(packet->head) : 0),
                                  .number = packet->number,
                                  .audio = !event && packet->wire > 0,
                                  .marker = marker};
    packet->flow = row;
    packet->meaning = flow->heard = (int32_t)meaning;
    packet->event = event;
    packet->sequence = rtp_sequence_add(&flow->sequence, &table->holes, &arrival);
    table->by_type[(int64_t)row * TYPES + packet->payload_type]++;
    if (waited_ns > flow->max_delta_ns) flow->max_delta_ns = waited_ns;
    flow->last_ns = packet->time_ns;
    /* A type without a known clock says nothing, whether it is audio or, as may show later, events. */
    if (kind == MEANS_AUDIO && packet->wire > 0)
        rtp_jitter_add(&flow->jitter, flow->sequence.came, packet->time_ns, packet->timestamp, arrival.tick_ns);
    if (arrival.audio) {
        flow->audio_bytes = packet->wire;
        if (kind == MEANS_UNKNOWN && !flow->sequence.came) pace_add(&flow->pace, packet);
    }
    if (told)
        count_event(table, packet, row, meanings->tick_ns[cell], kind == MEANS_EVENT, marker);
    else if (event && !meanings->encrypted[meaning] && packet->captured < RTP_EVENT_BYTES)
        table->cut_events++;
}

/* Counts packets from *at up to `end`, in arrival order, and stops where the caller has something to do first: with
 * `tell_new` at the first packet of each flow that begins (flow: its row). enum counted; *at is the next packet. */
int32_t trace_count(struct table *table, const struct meanings *meanings, struct packet *packets, int64_t *at,
                    int64_t end, uint8_t tell_new) {
    for (; *at < end; ++*at) {
        struct packet *packet = &packets[*at];
        if (is_cramped(table)) return COUNTED_AS_FAR_AS_THERE_IS_ROOM;
        int32_t *slot = slot_of(table, packet->hosts, packet->rest);
        if (*slot < 0 || is_another(&table->flows[*slot], packet)) {
            *slot = packet->flow = flow_new(table, packet, *slot);
            if (tell_new) return COUNTED_UP_TO_A_NEW_FLOW;
        }
        count(table, meanings, packet, *slot);
    }
    return COUNTED_ALL;
}

/* Fills the slots, which are new or no longer true, with the live flows. */
void trace_enter(struct table *table) {
    for (int64_t slot = 0; slot <= table->slot_mask; slot++) table->slots[slot] = -1;
    for (int32_t row = 0; row < table->flow_count; row++) {
        const struct flow *flow = &table->flows[row];
        if (flow->live && !flow->followed) *slot_of(table, flow->hosts, flow->rest) = row;
    }
}

/* These flows are no more; their events are left to the caller. */
void trace_forget(struct table *table, const int64_t *rows, int64_t count) {
    for (int64_t n = 0; n < count; n++) {
        struct flow *flow = &table->flows[rows[n]];
        rtp_sequence_end(&flow->sequence, &table->holes);
        *flow = (struct flow){.next_free = table->free_flow};
        table->free_flow = (int32_t)rows[n];
        table->free_flows++;
    }
    trace_enter(table);
}
