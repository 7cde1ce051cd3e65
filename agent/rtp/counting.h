/* What is counted of one RTP stream, packet by packet; definitions of agent/trace/model.py. No I/O, no clock, no
 * allocation: callers bring the memory.
 *
 * Structures marked "numpy" are read by agent/trace/kernel.py: change both.
 */
#ifndef CALLTEST_COUNTING_H
#define CALLTEST_COUNTING_H

#include <stdbool.h>
#include <stdint.h>

#define RTP_MAX_HOLES 1024   /* remembered per stream: the lowest are lost for good when there are more */
#define RTP_MAX_DROPOUT 3000 /* RFC 3550 A.1: a larger step is a source that began anew rather than loss */

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

/* numpy. Sequence numbers of one stream: all from lowest to highest were seen, but for its holes. So a copy is told
 * from a late packet at any distance. Extended numbers may fall below 0. */
struct rtp_sequence {
    int64_t packets;
    int64_t last, highest, lowest; /* extended */
    int64_t runs;                  /* packets that followed on the one before */
    int64_t duplicates, reordered;
    int64_t jumps;           /* steps of more than RTP_MAX_DROPOUT */
    int64_t forgotten_holes; /* what fills one of them counts as a copy */
    int32_t holes, highest_hole, lowest_hole;
    int32_t unused;
};

/* numpy. RFC 3550 A.8 in float64: audio packets in arrival order, arrival times not rounded to ticks. */
struct rtp_jitter {
    int64_t arrival_ns; /* of the last audio packet */
    double tick_ns;     /* its clock; nan before the first */
    double value_ns, max_ns;
    uint32_t timestamp;
    uint32_t unused;
};

void rtp_sequence_begin(struct rtp_sequence *sequence, uint16_t number);
int64_t rtp_sequence_add(struct rtp_sequence *sequence, struct rtp_holes *holes, uint16_t number);
void rtp_sequence_end(struct rtp_sequence *sequence, struct rtp_holes *holes);
double rtp_jitter_add(struct rtp_jitter *jitter, int64_t arrival_ns, uint32_t timestamp, double tick_ns);
int64_t rtp_waited_ns(int64_t before_ns, int64_t now_ns);

#endif
