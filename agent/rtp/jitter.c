/* Jitter of one RTP stream. */
#include "counting.h"

/* From one arrival to a later one. Times that a damaged capture made up wrap around. */
int64_t rtp_waited_ns(int64_t before_ns, int64_t now_ns) { return (int64_t)((uint64_t)now_ns - (uint64_t)before_ns); }

/* One audio packet, `tick_ns` its clock, `came` what rtp_sequence_add found: how much later it came after the one before
 * than their timestamps say, ns. nan, and no difference, between two clocks, two lives, and to one that is not known
 * (nan). */
double rtp_jitter_add(struct rtp_jitter *jitter, uint8_t came, int64_t arrival_ns, uint32_t timestamp, double tick_ns) {
    double moved_ns = __builtin_nan("");
    if (came & (RTP_CAME_ASIDE | RTP_CAME_ODDLY)) return moved_ns;
    if (came & RTP_CAME_ANEW) {
        jitter->value_ns = 0;
    } else if (jitter->tick_ns == tick_ns) {
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
