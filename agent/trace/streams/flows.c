/* Which stream each packet belongs to, and what it adds to it. */
#include "kernel.h"

#include <string.h>

#define TYPES 128
#define DYNAMIC 96 /* payload types that mean nothing without SDP: RFC 3551 §3 */

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

/* A row for the flow of a packet; there must be room. */
static int32_t flow_new(struct table *table, const struct packet *packet) {
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
        .live = 1,
    };
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

static void count(struct table *table, const struct meanings *meanings, struct packet *packet, int32_t row) {
    struct flow *flow = &table->flows[row];
    int64_t meaning = flow->meaning < meanings->count ? flow->meaning : 0;
    int64_t waited_ns = rtp_waited_ns(flow->last_ns, packet->time_ns);
    int64_t cell = meaning * TYPES + packet->payload_type;
    uint8_t kind = meanings->kind[cell];
    bool marker = packet->event, event = is_event(flow, packet, kind);
    bool told = event && !meanings->encrypted[meaning] && packet->captured >= RTP_EVENT_BYTES;
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
    if (told)
        count_event(table, packet, row, meanings->tick_ns[cell], kind == MEANS_EVENT, marker);
    else if (event && !meanings->encrypted[meaning])
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
        if (*slot < 0) {
            *slot = packet->flow = flow_new(table, packet);
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
        if (flow->live) *slot_of(table, flow->hosts, flow->rest) = row;
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
