/* Named events (RFC 4733, and 2833 before it): many packets, one digit. */
#include <math.h>
#include <stddef.h>

#include "kernel.h"

#define OPENED_MAX (1 << 30) /* a multiple of OPEN_EVENTS */
#define SEGMENT_TICKS 0xFFFFu /* a longer event goes on under a timestamp that is later by this: §2.5.1.3 */

/* The event that goes on, or went on, under this timestamp; NULL. Late packets are few: the newest is looked at
 * first. */
static struct event *find(const struct table *table, int32_t flow, uint32_t timestamp, uint8_t code) {
    const struct open_event *open = table->open + (int64_t)flow * OPEN_EVENTS;
    int32_t opened = table->flows[flow].opened;
    for (int32_t n = opened - 1; n >= 0 && n >= opened - OPEN_EVENTS; n--) {
        const struct open_event *one = &open[n % OPEN_EVENTS];
        struct event *event = &table->events[one->event];
        if (one->timestamp == timestamp && event->code == code) return event;
    }
    return NULL;
}

static struct event *begin(struct table *table, int32_t flow, const struct packet *packet, bool declared,
                           double tick_ns) {
    if (table->event_count == table->event_room) return NULL; /* it has grown to MAX_EVENTS */
    struct event *event = &table->events[table->event_count++];
    *event = (struct event){
        .start_ns = packet->time_ns,
        .tick_ns = declared ? tick_ns : NAN,
        .flow = flow,
        .last_segment = packet->timestamp,
        .code = (uint8_t)(packet->head >> 24),
        .payload_type = packet->payload_type,
        .declared = declared,
        .volume = packet->head >> 16 & 0x3F,
    };
    return event;
}

/* One event packet with its payload. */
void event_add(struct table *table, int32_t flow, const struct packet *packet, bool declared, double tick_ns) {
    uint8_t code = (uint8_t)(packet->head >> 24);
    uint32_t timestamp = packet->timestamp, ticks = packet->head & 0xFFFF;
    struct event *event = find(table, flow, timestamp, code);
    if (!event) {
        event = find(table, flow, timestamp - SEGMENT_TICKS, code);
        if (event && event->ends == 0) {
            event->earlier_ticks += SEGMENT_TICKS;
            event->last_segment = timestamp;
            event->ticks = 0;
        } else {
            event = begin(table, flow, packet, declared, tick_ns);
        }
        if (!event) {
            table->refused_events++;
            return;
        }
        int32_t *opened = &table->flows[flow].opened;
        table->open[(int64_t)flow * OPEN_EVENTS + *opened % OPEN_EVENTS] =
            (struct open_event){.timestamp = timestamp, .event = (int32_t)(event - table->events)};
        if (++*opened == OPENED_MAX) *opened = OPEN_EVENTS;
    }
    if (timestamp == event->last_segment && ticks > event->ticks) event->ticks = ticks;
    event->packets++;
    event->ends += packet->head >> 23 & 1;
}
