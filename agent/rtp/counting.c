/* Sequence numbers of one RTP stream. */
#include "counting.h"

#define GOES_ON_NS INT64_C(1000000000)  /* an old life that goes on within this time was never over */
#define ABOUT_NS INT64_C(200000000)     /* what the network's delay may differ by: timestamps and time passed agree */
#define MARKED_NS INT64_C(1000000000)   /* the same where the marker bit says that a pause ends */
#define LATE_NS INT64_C(10000000000)    /* behind the line, of a low number: no more than this */
#define MAX_STEP_NS 200e6               /* RFC 3551 §4.2: the longest packet */
#define MAX_STEP 20000                  /* the same in ticks, of a clock that is not known */
#define EVENT_SLACK 50                  /* packets: how far an event may have come is not said to the packet */
#define RANGE 65536                     /* between the numbers of two lives */

enum fit { NOT, BY_NUMBER /* alone: its timestamp says otherwise, or nothing */, AFTER_PAUSE, ON_LINE };

/* --- holes --- */

/* A hole's place; -1 where the room is used up. */
static int32_t hole_new(struct rtp_holes *holes, int64_t begin, int64_t end) {
    int32_t place = holes->spare;
    if (place >= 0) {
        holes->spare = holes->at[place].lower;
        holes->spares--;
    } else if (holes->used < holes->room) {
        place = holes->used++;
    } else {
        return -1;
    }
    holes->at[place] = (struct rtp_hole){.begin = begin, .end = end, .higher = -1, .lower = -1};
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

/* Puts a hole in its place; the lowest one makes room. Without any room it is forgotten at once. */
static void hole_add(struct rtp_sequence *sequence, struct rtp_holes *holes, int64_t begin, int64_t end) {
    int32_t place = sequence->holes < RTP_MAX_HOLES ? hole_new(holes, begin, end) : -1;
    if (place < 0) {
        sequence->forgotten_holes++;
        if (sequence->lowest_hole < 0 || begin < holes->at[sequence->lowest_hole].begin) return;
        hole_free(sequence, holes, sequence->lowest_hole);
        place = hole_new(holes, begin, end);
    }
    int32_t higher = -1, lower = sequence->highest_hole;
    while (lower >= 0 && holes->at[lower].begin > begin) higher = lower, lower = holes->at[lower].lower;
    holes->at[place].higher = higher;
    holes->at[place].lower = lower;
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

/* The hole that a number is in; -1: it is not missing. */
static int32_t hole_at(const struct rtp_sequence *sequence, const struct rtp_holes *holes, int64_t number) {
    int32_t place = sequence->highest_hole;
    while (place >= 0 && holes->at[place].begin > number) place = holes->at[place].lower;
    return place >= 0 && number < holes->at[place].end ? place : -1;
}

/* Whether the number was missing; it no longer is. */
static bool hole_fill(struct rtp_sequence *sequence, struct rtp_holes *holes, int64_t number) {
    int32_t place = hole_at(sequence, holes, number);
    if (place < 0) return false;
    struct rtp_hole *hole = &holes->at[place];
    if (hole->begin + 1 == hole->end) {
        hole_free(sequence, holes, place);
    } else if (number == hole->begin) {
        hole->begin++;
    } else {
        int64_t end = hole->end;
        hole->end = number;
        /* The rest above it; where there is no room, that takes the place of the lowest, which may be this one. */
        if (number + 1 < end) hole_add(sequence, holes, number + 1, end);
    }
    return true;
}

/* --- the line of timestamps --- */

static bool is_told(const struct rtp_line *line, const struct rtp_arrival *packet) {
    return line->known && line->tick_ns == packet->tick_ns;
}

/* Between two packets whose timestamps have the line's clock. */
static int64_t ticks_since(const struct rtp_line *line, const struct rtp_arrival *packet) {
    return (int32_t)(packet->timestamp - line->timestamp);
}

static bool is_step(const struct rtp_line *line, int64_t ticks) {
    return ticks > 0 && (line->tick_ns > 0 ? (double)ticks * line->tick_ns <= MAX_STEP_NS : ticks <= MAX_STEP);
}

/* How far by numbers a packet may be from where its timestamp says. Over a long outage some packets had no time of their
 * own (a digit's end, sent again), and the time that passed bears the timestamps out. */
static int64_t slack_of(const struct rtp_line *line, const struct rtp_arrival *packet, int64_t ticks, int64_t steps) {
    if (!packet->audio) return EVENT_SLACK;
    if (steps < RTP_MAX_DROPOUT || line->tick_ns <= 0) return 1;
    double waited_ns = (double)rtp_waited_ns(line->at_ns, packet->at_ns);
    return __builtin_fabs((double)ticks * line->tick_ns - waited_ns) <= waited_ns / 8 ? steps / 20 : 1;
}

/* Whether a packet's timestamp is where the line comes to at its number, within one packet; of the numbers that its 16
 * bits may stand for, `number` becomes the one that the timestamp tells. */
static bool is_on(const struct rtp_line *line, const struct rtp_arrival *packet, int64_t *number) {
    int64_t ticks = ticks_since(line, packet), steps = *number - line->number, step = line->step;
    if (step == 0) { /* only one packet yet: any step will do */
        if (steps == 0 || ticks == 0) return ticks == 0 && steps >= -1 && steps <= 1;
        return ticks % steps == 0 && is_step(line, ticks / steps);
    }
    int64_t expected = (ticks + (ticks < 0 ? -step : step) / 2) / step;
    int16_t beside = (int16_t)(uint16_t)(packet->number - (uint16_t)(line->number + expected));
    int64_t slack = slack_of(line, packet, ticks, expected);
    if (beside > slack || beside < -slack) return false;
    *number = line->number + expected + beside;
    return true;
}

/* Whether the timestamp moved by about the time that passed: a pause, or another length of packets. */
static bool is_about_now(const struct rtp_line *line, const struct rtp_arrival *packet) {
    if (line->tick_ns <= 0) return true; /* who knows */
    double moved_ns = (double)ticks_since(line, packet) * line->tick_ns;
    double waited_ns = (double)rtp_waited_ns(line->at_ns, packet->at_ns);
    double slack_ns = (packet->marker ? MARKED_NS : ABOUT_NS) + __builtin_fabs(waited_ns) / 4;
    return __builtin_fabs(moved_ns - waited_ns) <= slack_ns;
}

static void line_begin(struct rtp_line *line, const struct rtp_arrival *packet, int64_t number) {
    *line = (struct rtp_line){.number = number,
                              .at_ns = packet->at_ns,
                              .tick_ns = packet->tick_ns,
                              .timestamp = packet->timestamp,
                              .known = packet->audio};
}

/* The line comes to a packet of audio; later ones than that leave it. */
static void line_move(struct rtp_line *line, const struct rtp_arrival *packet, int64_t number) {
    if (!packet->audio || (line->known && number <= line->number)) return;
    if (!is_told(line, packet)) { /* a packet of no known clock says nothing of a line that has one */
        if (!line->known || packet->tick_ns > 0) line_begin(line, packet, number);
        return;
    }
    int64_t ticks = ticks_since(line, packet);
    if (number == line->number + 1 && is_step(line, ticks)) line->step = (uint32_t)ticks;
    line->number = number;
    line->timestamp = packet->timestamp;
    line->at_ns = packet->at_ns;
}

/* --- lives --- */

/* Before the first packet is added; the structure is all zeros. */
void rtp_sequence_begin(struct rtp_sequence *sequence, uint16_t number) {
    sequence->now.last = sequence->now.lowest = number;
    sequence->now.highest = (int64_t)number - 1;
    sequence->highest_hole = sequence->lowest_hole = -1;
    sequence->watched = true;
}

static int64_t size_of(const struct rtp_life *life) { return life->highest - life->lowest + 1; }

/* Highest minus lowest number plus 1, of all lives. */
int64_t rtp_sequence_expected(const struct rtp_sequence *sequence) {
    return sequence->expected_before + size_of(&sequence->now) + (sequence->beside ? size_of(&sequence->aside) : 0);
}

/* How a packet with a low number, whose timestamp is not on the line, fits: late, or a copy, of before a pause, say. */
static enum fit fit_low(const struct rtp_sequence *sequence, const struct rtp_holes *holes, const struct rtp_life *life,
                        const struct rtp_arrival *packet, int64_t number) {
    if (hole_at(sequence, holes, number) >= 0 || life->line.tick_ns <= 0) return ON_LINE;
    if (is_told(&sequence->before, packet) && is_on(&sequence->before, packet, &number)) return ON_LINE;
    double behind_ns = -(double)ticks_since(&life->line, packet) * life->line.tick_ns;
    return behind_ns > 0 && behind_ns <= (double)LATE_NS ? BY_NUMBER : NOT;
}

/* Whether a packet is of a life, and its extended number there: the one nearest to that of the packet before it, unless
 * its timestamp says that more than half of all numbers went by. */
static enum fit fit(const struct rtp_sequence *sequence, const struct rtp_holes *holes, const struct rtp_life *life,
                    const struct rtp_arrival *packet, int64_t *number) {
    *number = life->last + (int16_t)(uint16_t)(packet->number - (uint16_t)life->last);
    int64_t step = *number - life->highest;
    bool is_near = step < RTP_MAX_DROPOUT && step > -RTP_MAX_MISORDER, told = is_told(&life->line, packet);
    if (is_near && (!told || !packet->audio)) return ON_LINE;
    if (!told) return NOT;
    if (is_on(&life->line, packet, number)) return ON_LINE;
    if (!is_near) return NOT;
    if (step > 0) return is_about_now(&life->line, packet) ? AFTER_PAUSE : BY_NUMBER;
    return fit_low(sequence, holes, life, packet, *number);
}

/* Counts a number of a life. */
static void put(struct rtp_sequence *sequence, struct rtp_holes *holes, struct rtp_life *life, int64_t number,
                const struct rtp_arrival *packet) {
    int64_t step = number - life->highest;
    sequence->runs += number == life->last + 1 && sequence->packets > 1;
    life->last = number;
    life->at_ns = packet->at_ns;
    life->packets++;
    if (step > 0) {
        if (step > 1) hole_add(sequence, holes, life->highest + 1, number);
        sequence->jumps += step > RTP_MAX_DROPOUT;
        life->highest = number;
        return;
    }
    if (number < life->lowest) {
        if (number + 1 < life->lowest) hole_add(sequence, holes, number + 1, life->lowest);
        life->lowest = number;
        sequence->came |= RTP_CAME_LATE;
    } else {
        sequence->came |= hole_fill(sequence, holes, number) ? RTP_CAME_LATE : RTP_CAME_COPY;
    }
    sequence->reordered += (sequence->came & RTP_CAME_LATE) != 0;
    sequence->duplicates += (sequence->came & RTP_CAME_COPY) != 0;
}

/* Nothing is aside any more. */
static void retire(struct rtp_sequence *sequence) {
    if (sequence->beside == RTP_NOTHING) return;
    sequence->expected_before += size_of(&sequence->aside);
    if (sequence->top < sequence->aside.highest) sequence->top = sequence->aside.highest;
    sequence->beside = RTP_NOTHING;
    sequence->strays = 0;
}

/* The life aside is the one that goes on; the other is aside now. */
static void swap(struct rtp_sequence *sequence) {
    struct rtp_life life = sequence->now;
    sequence->now = sequence->aside;
    sequence->aside = life;
    sequence->before.known = sequence->odd.known = false;
    sequence->came |= RTP_CAME_ANEW;
    sequence->reordered -= sequence->strays;
    sequence->strays = 0;
}

/* A packet of the life aside. */
static void put_aside(struct rtp_sequence *sequence, struct rtp_holes *holes, int64_t number,
                      const struct rtp_arrival *packet) {
    struct rtp_life *aside = &sequence->aside;
    bool is_next = number == aside->last + 1, is_higher = number > aside->highest;
    bool is_over = rtp_waited_ns(sequence->now.at_ns, packet->at_ns) > GOES_ON_NS;
    put(sequence, holes, aside, number, packet);
    line_move(&aside->line, packet, number);
    if (sequence->beside == RTP_OLD && is_higher) {
        swap(sequence);
        sequence->came |= RTP_CAME_BACK;
        sequence->restarts--;
        sequence->beside = RTP_STRAY;
        sequence->reordered += sequence->strays = sequence->aside.packets;
    } else if (is_next && (sequence->beside == RTP_CANDIDATE || (sequence->beside == RTP_STRAY && is_over))) {
        swap(sequence);
        sequence->restarts++;
        sequence->beside = RTP_OLD;
    } else {
        bool counts = sequence->beside == RTP_STRAY && is_higher;
        sequence->reordered += counts;
        sequence->strays += counts;
        sequence->came |= RTP_CAME_ASIDE;
    }
    sequence->watched = sequence->beside == RTP_CANDIDATE;
}

/* Whether a packet is of the life aside, and its number there. */
static bool is_aside(struct rtp_sequence *sequence, const struct rtp_holes *holes, const struct rtp_arrival *packet,
                     int64_t *number) {
    if (sequence->beside == RTP_NOTHING) return false;
    if (sequence->beside == RTP_OLD && rtp_waited_ns(sequence->aside.at_ns, packet->at_ns) > GOES_ON_NS) {
        retire(sequence);
        return false;
    }
    return fit(sequence, holes, &sequence->aside, packet, number) > BY_NUMBER;
}

/* What may be the first packet of a new life; its number. */
static int64_t put_candidate(struct rtp_sequence *sequence, struct rtp_holes *holes,
                             const struct rtp_arrival *packet) {
    retire(sequence);
    if (sequence->top < sequence->now.highest) sequence->top = sequence->now.highest;
    int64_t least = sequence->top + RANGE;
    int64_t number = least + (uint16_t)(packet->number - (uint16_t)least);
    sequence->aside = (struct rtp_life){.last = number - 2, .highest = number - 1, .lowest = number};
    sequence->beside = RTP_CANDIDATE;
    put(sequence, holes, &sequence->aside, number, packet);
    line_begin(&sequence->aside.line, packet, number);
    sequence->came |= RTP_CAME_ASIDE;
    sequence->watched = true;
    return number;
}

/* Numbers go on, the timestamp is neither on the line nor where the time that passed would have it. */
static void timestamp_jumps(struct rtp_sequence *sequence, const struct rtp_arrival *packet, int64_t number) {
    struct rtp_line *line = &sequence->now.line, *before = &sequence->before, *odd = &sequence->odd, was = *line;
    int64_t same = number;
    bool goes_on = before->life && is_told(before, packet) && is_on(before, packet, &same) && same == number &&
                   rtp_waited_ns(before->at_ns, packet->at_ns) <= GOES_ON_NS;
    if (goes_on) {
        sequence->restarts--;
        *line = *before;
        line_move(line, packet, number);
        *before = was;
        line->life = before->life = false;
        sequence->came |= RTP_CAME_ANEW | RTP_CAME_BACK;
    } else if (is_told(odd, packet) && is_on(odd, packet, &same) && same == number && number > odd->number) {
        sequence->restarts++;
        *line = *odd;
        line_move(line, packet, number);
        *before = was;
        before->life = true;
        sequence->came |= RTP_CAME_ANEW;
    } else if (odd->known) { /* two that have nothing to do with each other: these timestamps are no line */
        line_begin(line, packet, number);
        line->step = was.step;
    } else {
        line_begin(odd, packet, number);
        odd->step = was.step;
        sequence->came |= RTP_CAME_ODDLY;
        sequence->watched = true;
        return;
    }
    odd->known = false;
}

/* What is not simply the next packet. */
static int64_t add_oddly(struct rtp_sequence *sequence, struct rtp_holes *holes, const struct rtp_arrival *packet) {
    struct rtp_life *now = &sequence->now;
    int64_t number = now->last, aside;
    enum fit fits = sequence->packets == 1 ? ON_LINE : fit(sequence, holes, now, packet, &number);
    if (fits <= BY_NUMBER && is_aside(sequence, holes, packet, &aside)) {
        put_aside(sequence, holes, aside, packet);
        return aside;
    }
    if (fits == NOT) return put_candidate(sequence, holes, packet);
    if (sequence->beside == RTP_CANDIDATE) {
        sequence->beside = RTP_STRAY;
        sequence->reordered += sequence->strays = sequence->aside.packets;
    }
    sequence->watched = false;
    put(sequence, holes, now, number, packet);
    if (fits == BY_NUMBER && number > now->line.number) {
        timestamp_jumps(sequence, packet, number);
        return number;
    }
    if (packet->audio) sequence->odd.known = false;
    if (fits == AFTER_PAUSE && number > now->line.number) sequence->before = now->line;
    line_move(&now->line, packet, number);
    return number;
}

/* One packet; its extended sequence number. */
int64_t rtp_sequence_add(struct rtp_sequence *sequence, struct rtp_holes *holes, const struct rtp_arrival *packet) {
    struct rtp_life *now = &sequence->now;
    struct rtp_line *line = &now->line;
    uint32_t ticks = packet->timestamp - line->timestamp;
    bool is_next = now->last == now->highest && packet->number == (uint16_t)(now->last + 1) && !sequence->watched;
    sequence->packets++;
    sequence->came = 0;
    if (!is_next || (packet->audio && (line->tick_ns != packet->tick_ns || (ticks != line->step && ticks != 0))))
        return add_oddly(sequence, holes, packet);
    sequence->runs++;
    now->packets++;
    now->at_ns = packet->at_ns;
    now->last = ++now->highest;
    if (packet->audio) {
        line->number = now->highest;
        line->timestamp = packet->timestamp;
        line->at_ns = packet->at_ns;
    }
    return now->highest;
}

/* The stream is no more: gives its holes back. */
void rtp_sequence_end(struct rtp_sequence *sequence, struct rtp_holes *holes) {
    while (sequence->holes > 0) hole_free(sequence, holes, sequence->highest_hole);
}
