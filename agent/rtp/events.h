/* Named events (RFC 4733, and 2833 before it): many packets, one digit. No allocation: callers bring the memory.
 *
 * Structures marked "numpy" or "ctypes" are read by agent/trace/kernel.py and agent/tap/__init__.py: change all.
 */
#ifndef CALLTEST_EVENTS_H
#define CALLTEST_EVENTS_H

#include <stdbool.h>
#include <stdint.h>

#define RTP_OPEN_EVENTS 16 /* of a stream: packets may still come */
#define RTP_EVENT_BYTES 4  /* of an event's payload: §2.3 */

/* numpy, ctypes. One event of one stream: all packets of one timestamp and code, and of the segments that go on from it.
 * It is no digit while it has no length: `last_segment` - `timestamp` + `ticks`. */
struct rtp_event {
    int64_t first_ns, last_ns; /* arrival of its packets, on the caller's clock */
    double tick_ns;            /* nan: its payload type was not declared */
    int32_t owner;             /* the caller's word */
    uint32_t timestamp;        /* of its first segment */
    uint32_t last_segment;     /* of the segment that is on */
    uint32_t ticks;            /* of that one: as last told, and an end's word counts */
    uint32_t step;             /* the longest that one packet told more than the one before */
    uint32_t packets, ends;
    uint32_t pressed_again; /* marker bits after its end: presses that cannot be told apart (§2.5.1.2) */
    uint16_t number;        /* sequence number of its newest packet */
    uint8_t code, payload_type, declared;
    uint8_t volume; /* -dBm0 */
    uint8_t marker; /* of its first packet */
    uint8_t moved;  /* it follows on a packet of the same event, unmarked: a timestamp that moved within one press? */
    uint8_t ended;  /* its newest packet was an end */
    uint8_t unused[7];
};

/* numpy. Under which timestamp a stream's event goes on; `code` and all else is the event's. */
struct rtp_open_event {
    uint32_t timestamp;
    int32_t event;
};

/* One packet of an event, four bytes of payload at least. */
struct rtp_event_packet {
    int64_t at_ns;
    double tick_ns;
    uint32_t timestamp;
    uint32_t head; /* its payload, big-endian */
    int32_t owner;
    uint16_t number;
    uint8_t payload_type;
    bool marker, declared;
};

/* Where events are kept: those of any number of streams, and one stream's ring of open ones. */
struct rtp_event_store {
    struct rtp_event *events;
    int32_t *count; /* of events */
    int32_t room;
    int32_t *opened;             /* its open events, ever; a very high number goes back to RTP_OPEN_EVENTS */
    struct rtp_open_event *open; /* RTP_OPEN_EVENTS */
};

bool rtp_event_add(const struct rtp_event_store *store, const struct rtp_event_packet *packet);

static inline uint32_t rtp_event_told(uint32_t head) { return head & 0xFFFF; }

#endif
