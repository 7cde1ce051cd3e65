/* What is counted of one RTP stream, packet by packet: sequence numbers, in the lives that they have, and jitter;
 * definitions of agent/trace/model.py. No I/O, no clock, no allocation: callers bring the memory.
 *
 * A stream is followed on two lines: its numbers, and the timestamps of its audio, which grow by one step a packet. A
 * life (RFC 3550 A.1) begins where two packets in sequence leave the line of those before:
 *
 *   - numbers beyond MAX_DROPOUT or MAX_MISORDER, whose timestamps do not go on with the line. Where they do, it is loss,
 *     or reordering, however far. The new life's numbers are counted from a range of their own, so that none between is
 *     lost. Where the old line goes on within a second, it was another's packets in between: those came out of order.
 *   - numbers go on, and timestamps do not: neither by one step a packet, nor by the time that passed (a pause).
 *
 * Structures marked "numpy" are read by agent/trace/kernel.py: change both.
 */
#ifndef CALLTEST_COUNTING_H
#define CALLTEST_COUNTING_H

#include <stdbool.h>
#include <stdint.h>

#define RTP_MAX_HOLES 1024   /* remembered per stream: the lowest are lost for good when there are more */
#define RTP_MAX_DROPOUT 3000 /* RFC 3550 A.1 */
#define RTP_MAX_MISORDER 100

/* A run of sequence numbers, [begin, end), that are missing. Doubly linked, highest first; -1: none. */
struct rtp_hole {
    int64_t begin, end;
    int32_t higher, lower;
};

/* Where the holes of any number of streams are kept. */
struct rtp_holes {
    struct rtp_hole *at;
    int32_t room, used; /* beyond `used` nothing was ever written */
    int32_t spare;      /* given back, linked by `lower`; -1: none */
    int32_t spares;
};

/* One packet, as far as it is counted. */
struct rtp_arrival {
    int64_t at_ns;
    double tick_ns;     /* of its timestamp's clock; 0: not known */
    uint32_t timestamp; /* of an event: how far it has come */
    uint16_t number;
    bool audio; /* its timestamps are the stream's line: it is no event, and has a payload */
    bool marker;
};

/* numpy. Where the timestamps of a life's audio are. */
struct rtp_line {
    int64_t number; /* extended, of the last audio packet in order */
    int64_t at_ns;
    double tick_ns;
    uint32_t timestamp;
    uint32_t step; /* ticks from one packet to the next; 0: not known */
    uint8_t known, life;
    uint8_t unused[6];
};

/* numpy. One life: all numbers from lowest to highest were seen, but for the stream's holes. */
struct rtp_life {
    int64_t last, highest, lowest; /* extended */
    int64_t at_ns;                 /* of its last packet */
    int64_t packets;               /* since it is on, or aside */
    struct rtp_line line;
};

/* numpy. Sequence numbers of one stream. A copy is told from a late packet at any distance. Extended numbers may fall
 * below 0; each life has its own range of them. */
struct rtp_sequence {
    int64_t packets;
    int64_t expected_before;       /* of the lives that are over */
    int64_t runs;                  /* packets that followed on the one before */
    int64_t duplicates, reordered; /* RFC 4737: a copy is never reordered */
    int64_t jumps;                 /* steps of more than RTP_MAX_DROPOUT within a life */
    int64_t restarts;              /* lives after the first */
    int64_t forgotten_holes;       /* what fills one of them counts as a copy */
    int64_t strays;                /* of `reordered`: packets of the life aside */
    int64_t top;                   /* highest number of any life */
    struct rtp_life now, aside;
    struct rtp_line before, odd; /* the timestamps' line before a pause or restart; and that of one packet beside it */
    int32_t holes, highest_hole, lowest_hole;
    uint8_t beside;  /* enum rtp_beside: what the life aside is */
    uint8_t came;    /* RTP_CAME_ bits of the last packet */
    uint8_t watched; /* what the next packet is tells what the last was */
    uint8_t unused;
};

enum rtp_beside {
    RTP_NOTHING,
    RTP_CANDIDATE, /* what may be a new life: no two packets in sequence yet */
    RTP_OLD,       /* the life before this one */
    RTP_STRAY      /* another's packets, or old ones, while this life goes on */
};

#define RTP_CAME_COPY 1
#define RTP_CAME_LATE 2    /* fills a hole, or is lower than any before */
#define RTP_CAME_ASIDE 4   /* of another life than that which goes on */
#define RTP_CAME_ANEW 8    /* its life, or line of timestamps, is new, and confirmed by it; or an older one goes on */
#define RTP_CAME_ODDLY 16  /* its timestamp is not on the line: what comes next tells why */
#define RTP_CAME_BACK 32   /* beside ANEW: it is the older one that goes on, and the new one was none */

/* numpy. RFC 3550 A.8 in float64: audio packets in arrival order, arrival times not rounded to ticks. */
struct rtp_jitter {
    int64_t arrival_ns; /* of the last audio packet */
    double tick_ns;     /* its clock; nan before the first */
    double value_ns, max_ns;
    uint32_t timestamp;
    uint32_t unused;
};

void rtp_sequence_begin(struct rtp_sequence *sequence, uint16_t number);
int64_t rtp_sequence_add(struct rtp_sequence *sequence, struct rtp_holes *holes, const struct rtp_arrival *packet);
int64_t rtp_sequence_expected(const struct rtp_sequence *sequence);
void rtp_sequence_end(struct rtp_sequence *sequence, struct rtp_holes *holes);
double rtp_jitter_add(struct rtp_jitter *jitter, uint8_t came, int64_t arrival_ns, uint32_t timestamp, double tick_ns);
int64_t rtp_waited_ns(int64_t before_ns, int64_t now_ns);

#endif
