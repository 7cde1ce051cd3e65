/* Named events (RFC 4733): which packets are of one press. */
#include "events.h"

#include <stddef.h>

#define OPENED_MAX (1 << 30)    /* a multiple of RTP_OPEN_EVENTS */
#define SEGMENT_TICKS 0xFFFFu   /* a longer event goes on under another timestamp: §2.5.1.3 */
#define PACKET_NS 20e6          /* of one packet, where nothing tells more */

static struct rtp_open_event *opened(const struct rtp_event_store *store, int32_t nth) {
    return &store->open[nth % RTP_OPEN_EVENTS];
}

/* The event that goes on, or went on, under this timestamp; NULL. Late packets are few: the newest is looked at
 * first. */
static struct rtp_event *find(const struct rtp_event_store *store, uint32_t timestamp, uint8_t code) {
    for (int32_t n = *store->opened - 1; n >= 0 && n >= *store->opened - RTP_OPEN_EVENTS; n--) {
        struct rtp_event *event = &store->events[opened(store, n)->event];
        if (opened(store, n)->timestamp == timestamp && event->code == code) return event;
    }
    return NULL;
}

/* The event that was on last; NULL: there was none. */
static struct rtp_event *newest(const struct rtp_event_store *store) {
    return *store->opened > 0 ? &store->events[opened(store, *store->opened - 1)->event] : NULL;
}

/* Whether a packet under a new timestamp goes on with an event that was too long for one: by the book 0xFFFF later. Where
 * senders begin the segment at the packet that ran over, up to one packet later; the last one told ran up to 0xFFFF, but
 * for one that may be lost. */
static bool is_segment(const struct rtp_event *event, const struct rtp_event_packet *packet) {
    uint32_t ahead = packet->timestamp - event->last_segment, step = event->step;
    if (event->ends || event->code != packet->head >> 24 || ahead < SEGMENT_TICKS) return false;
    if (ahead == SEGMENT_TICKS) return true;
    if (packet->tick_ns > 0 && step < PACKET_NS / packet->tick_ns) step = (uint32_t)(PACKET_NS / packet->tick_ns);
    return !packet->marker && event->ticks + 2 * step >= SEGMENT_TICKS && ahead - SEGMENT_TICKS <= step;
}

/* The event that a packet under a new timestamp goes on with as a segment; NULL. */
static struct rtp_event *find_long(const struct rtp_event_store *store, const struct rtp_event_packet *packet) {
    for (int32_t n = *store->opened - 1; n >= 0 && n >= *store->opened - RTP_OPEN_EVENTS; n--) {
        struct rtp_event *event = &store->events[opened(store, n)->event];
        if (is_segment(event, packet)) return event;
    }
    return NULL;
}

/* A new event; NULL where there is no room. It takes the place of the one before where that never had a length, so that
 * any number of those takes the room of one. */
static struct rtp_event *begin(const struct rtp_event_store *store, const struct rtp_event_packet *packet) {
    const struct rtp_event *before = newest(store);
    uint8_t code = (uint8_t)(packet->head >> 24);
    bool moved = before && before->code == code && !packet->marker && packet->number == (uint16_t)(before->number + 1);
    if (before && before->ticks == 0 && before->last_segment == before->timestamp &&
        before == &store->events[*store->count - 1]) {
        --*store->count;
        --*store->opened;
    }
    if (*store->count == store->room) return NULL;
    struct rtp_event *event = &store->events[(*store->count)++];
    *event = (struct rtp_event){
        .first_ns = packet->at_ns,
        .tick_ns = packet->declared ? packet->tick_ns : __builtin_nan(""),
        .owner = packet->owner,
        .timestamp = packet->timestamp,
        .number = (uint16_t)(packet->number - 1),
        .code = code,
        .payload_type = packet->payload_type,
        .declared = packet->declared,
        .volume = packet->head >> 16 & 0x3F,
        .marker = packet->marker,
        .moved = moved,
    };
    return event;
}

/* What a packet tells of the segment that is on: the newest one's word counts, and an end's before any other's. */
static void tell(struct rtp_event *event, const struct rtp_event_packet *packet) {
    uint32_t ticks = rtp_event_told(packet->head);
    bool is_end = packet->head >> 23 & 1, is_newer = (int16_t)(uint16_t)(packet->number - event->number) > 0;
    if (is_newer && packet->marker && !is_end && event->ended) event->pressed_again++;
    if (is_end ? !event->ends || is_newer : !event->ends && is_newer) {
        if (ticks > event->ticks && ticks - event->ticks > event->step) event->step = ticks - event->ticks;
        event->ticks = ticks;
    }
    if (!is_newer) return;
    event->number = packet->number;
    event->ended = is_end;
}

/* One packet of an event. False where there is no room for the event that it begins. */
bool rtp_event_add(const struct rtp_event_store *store, const struct rtp_event_packet *packet) {
    struct rtp_event *event = find(store, packet->timestamp, (uint8_t)(packet->head >> 24));
    if (!event) {
        event = find_long(store, packet);
        if (event)
            event->ticks = 0;
        else
            event = begin(store, packet);
        if (!event) return false;
        event->last_segment = packet->timestamp;
        *opened(store, *store->opened) =
            (struct rtp_open_event){.timestamp = packet->timestamp, .event = (int32_t)(event - store->events)};
        if (++*store->opened == OPENED_MAX) *store->opened = RTP_OPEN_EVENTS;
    }
    if (packet->timestamp == event->last_segment) tell(event, packet);
    event->last_ns = packet->at_ns;
    event->packets++;
    event->ends += packet->head >> 23 & 1;
    return true;
}
