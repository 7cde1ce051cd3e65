/* Media time of one RTP stream: how long what came lasts, and what is missing of it, by timestamps. No I/O, no clock, no
 * allocation.
 *
 * Audio of G.711 lasts as long as its octets say; of other codecs, as the timestamps of consecutive numbers are apart. A
 * timestamp beyond the end of what came before is a gap: of as many packets as numbers are missing it is loss. What is left
 * of it is a pause where numbers are missing too (the marker bit may have been on one of those), where the packet has the
 * marker bit (RFC 3551 §4.1), and next to comfort noise, events, empty packets and types of no known clock: the sender had
 * something else to send, or nothing to say. Else it was lost before it came to who gave it its numbers.
 */
#ifndef CALLTEST_MEDIA_TIME_H
#define CALLTEST_MEDIA_TIME_H

#include <stdbool.h>
#include <stdint.h>

enum rtp_kind {
    RTP_OTHER, /* of a type that is not known, or empty */
    RTP_AUDIO,
    RTP_NOISE, /* comfort noise: RFC 3389 */
    RTP_EVENT
};

/* What is added up, ns: span = media + event + lost + pause, but where packets lie over each other. */
struct rtp_time {
    int64_t media_ns; /* of audio, copies left out */
    int64_t event_ns; /* covered by events, where no audio is */
    int64_t lost_ns, pause_ns;
    int64_t span_ns; /* from the first packet of audio or events to the end of the last, of all lives */
};

enum rtp_gap_kind { RTP_LOST, RTP_PAUSE, RTP_RESTART };

/* One gap; its numbers, of those that are missing, where it is loss. */
struct rtp_gap {
    int64_t at_ns;      /* arrival of the packet after it, on the caller's clock */
    int64_t missing_ns; /* of media; of a restart, the time that passed */
    int64_t begin, end;
    int64_t kind; /* enum rtp_gap_kind */
};

struct rtp_media {
    struct rtp_time time;
    double tick_ns;     /* clock of `end`; 0: nothing came yet */
    uint32_t end;       /* timestamp at which what came ends */
    uint32_t length;    /* ticks of the last audio packet; 0: not known yet */
    uint32_t longer;    /* ticks of one that lasted longer, if that was no gap; 0: none */
    int64_t longer_gap; /* what was counted as missing for it, ns: lost where > 0, a pause where < 0 */
    int64_t number;     /* extended, of the last packet in order */
    int64_t at_ns;      /* its arrival */
    int64_t beside_ns;  /* of audio whose timestamp was not on the line, and that the line may have left out */
    bool spoken;        /* the last packet was audio: nothing excuses a gap */
    bool taken_back;    /* by this packet: the gap told last was none */
};

/* One packet, with what rtp_sequence_add said of it. */
struct rtp_piece {
    int64_t at_ns;
    int64_t number; /* extended */
    double tick_ns; /* 0: not known */
    uint32_t timestamp;
    uint32_t ticks; /* that it lasts: of G.711, of an event; 0: not known */
    enum rtp_kind kind;
    bool marker;
    uint8_t came; /* RTP_CAME_ bits */
};

/* Adds a packet; the gaps before it (none to two) go to `gaps`, their number is returned. */
int rtp_media_add(struct rtp_media *media, const struct rtp_piece *piece, struct rtp_gap gaps[2]);
void rtp_media_fill(struct rtp_media *media, const struct rtp_piece *piece, struct rtp_gap *gap);

#endif
