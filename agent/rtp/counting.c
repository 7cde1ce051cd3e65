/* Sequence numbers and jitter of one RTP stream. */
#include "counting.h"

/* A hole's place; -1 where the room is used up. */
static int32_t hole_new(struct rtp_holes *holes, int64_t begin, int64_t end, int32_t higher, int32_t lower) {
    int32_t place = holes->spare;
    if (place >= 0) {
        holes->spare = holes->at[place].lower;
        holes->spares--;
    } else if (holes->used < holes->room) {
        place = holes->used++;
    } else {
        return -1;
    }
    holes->at[place] = (struct rtp_hole){.begin = begin, .end = end, .higher = higher, .lower = lower};
    return place;
}

static void hole_free(struct rtp_sequence *sequence, struct rtp_holes *holes, int32_t place) {
    struct rtp_hole *hole = &holes->at[place];
    if (hole->higher >= 0)
        holes->at[hole->higher].lower = hole->lower;
    else
        sequence->highest_hole = hole->lower;
    if (hole->lower >= 0)
        holes->at[hole->lower].higher = hole->higher;
    else
        sequence->lowest_hole = hole->higher;
    hole->lower = holes->spare;
    holes->spare = place;
    holes->spares++;
    sequence->holes--;
}

/* Puts a hole between two neighbours; the lowest one makes room. Without any room it is forgotten at once. */
static void hole_add(struct rtp_sequence *sequence, struct rtp_holes *holes, int64_t begin, int64_t end, int32_t higher,
                     int32_t lower) {
    int32_t place = sequence->holes < RTP_MAX_HOLES ? hole_new(holes, begin, end, higher, lower) : -1;
    if (place < 0) {
        sequence->forgotten_holes++;
        if (lower < 0) return; /* it is the lowest itself */
        if (lower == sequence->lowest_hole) lower = -1;
        hole_free(sequence, holes, sequence->lowest_hole);
        place = hole_new(holes, begin, end, higher, lower);
    }
    if (higher >= 0)
        holes->at[higher].lower = place;
    else
        sequence->highest_hole = place;
    if (lower >= 0)
        holes->at[lower].higher = place;
    else
        sequence->lowest_hole = place;
    sequence->holes++;
}

/* Whether the number was missing; it no longer is. */
static bool hole_fill(struct rtp_sequence *sequence, struct rtp_holes *holes, int64_t number) {
    int32_t place = sequence->highest_hole;
    while (place >= 0 && holes->at[place].begin > number) place = holes->at[place].lower;
    if (place < 0 || number >= holes->at[place].end) return false;
    struct rtp_hole *hole = &holes->at[place];
    if (hole->begin + 1 == hole->end) {
        hole_free(sequence, holes, place);
    } else if (number == hole->begin) {
        hole->begin++;
    } else {
        int64_t end = hole->end;
        hole->end = number;
        if (number + 1 < end) {
            /* The rest above it; where there is no room, that takes the place of the lowest, which may be this one. */
            hole_add(sequence, holes, number + 1, end, hole->higher, place);
        }
    }
    return true;
}

/* Before the first packet is added; the structure is all zeros. */
void rtp_sequence_begin(struct rtp_sequence *sequence, uint16_t number) {
    sequence->last = sequence->lowest = number;
    sequence->highest = (int64_t)number - 1;
    sequence->highest_hole = sequence->lowest_hole = -1;
}

/* One packet; its extended sequence number: the one nearest to that of the packet before it. */
int64_t rtp_sequence_add(struct rtp_sequence *sequence, struct rtp_holes *holes, uint16_t number) {
    int16_t delta = (int16_t)(uint16_t)(number - (uint16_t)sequence->last);
    int64_t extended = sequence->last + delta, step = extended - sequence->highest;
    sequence->packets++;
    sequence->runs += delta == 1;
    sequence->last = extended;
    if (step == 1) {
        sequence->highest = extended;
        return extended;
    }
    sequence->reordered += step < 0;
    sequence->jumps += step > RTP_MAX_DROPOUT || step < -RTP_MAX_DROPOUT;
    if (step > 1) {
        hole_add(sequence, holes, sequence->highest + 1, extended, -1, sequence->highest_hole);
        sequence->highest = extended;
    } else if (extended < sequence->lowest) {
        if (extended + 1 < sequence->lowest)
            hole_add(sequence, holes, extended + 1, sequence->lowest, sequence->lowest_hole, -1);
        sequence->lowest = extended;
    } else if (!hole_fill(sequence, holes, extended)) {
        sequence->duplicates++;
    }
    return extended;
}

/* The stream is no more: gives its holes back. */
void rtp_sequence_end(struct rtp_sequence *sequence, struct rtp_holes *holes) {
    while (sequence->holes > 0) hole_free(sequence, holes, sequence->highest_hole);
}

/* From one arrival to a later one. Times that a damaged capture made up wrap around. */
int64_t rtp_waited_ns(int64_t before_ns, int64_t now_ns) { return (int64_t)((uint64_t)now_ns - (uint64_t)before_ns); }

/* One audio packet, `tick_ns` its clock: how much later it came after the one before than their timestamps say, ns.
 * nan, and no difference, between two clocks, and to one that is not known (nan). */
double rtp_jitter_add(struct rtp_jitter *jitter, int64_t arrival_ns, uint32_t timestamp, double tick_ns) {
    double moved_ns = __builtin_nan("");
    if (jitter->tick_ns == tick_ns) {
        double ticks = (int32_t)(timestamp - jitter->timestamp);
        moved_ns = (double)rtp_waited_ns(jitter->arrival_ns, arrival_ns) - ticks * tick_ns;
        jitter->value_ns += (__builtin_fabs(moved_ns) - jitter->value_ns) / 16;
        if (jitter->value_ns > jitter->max_ns) jitter->max_ns = jitter->value_ns;
    }
    jitter->arrival_ns = arrival_ns;
    jitter->timestamp = timestamp;
    jitter->tick_ns = tick_ns;
    return moved_ns;
}
