/* Media time of one RTP stream. */
#include "media_time.h"

#include "counting.h"

static int64_t ns_of(const struct rtp_media *media, int64_t ticks) {
    return (int64_t)((double)ticks * media->tick_ns + (ticks < 0 ? -0.5 : 0.5));
}

/* What a packet lasts, in ticks; 0: not known. */
static int64_t length_of(const struct rtp_media *media, const struct rtp_piece *piece) {
    return piece->ticks || piece->kind == RTP_EVENT ? piece->ticks : media->length;
}

static void last(struct rtp_media *media, const struct rtp_piece *piece, int64_t ticks) {
    int64_t ns = ns_of(media, ticks);
    *(piece->kind == RTP_EVENT ? &media->time.event_ns : &media->time.media_ns) += ns;
    media->time.span_ns += ns;
}

/* Nothing before it tells what is missing. */
static void begin(struct rtp_media *media, const struct rtp_piece *piece) {
    if (media->tick_ns != piece->tick_ns) media->length = 0;
    media->tick_ns = piece->tick_ns;
    int64_t ticks = length_of(media, piece);
    media->end = piece->timestamp + (uint32_t)ticks;
    media->longer = 0;
    media->beside_ns = 0;
    last(media, piece, ticks);
}

/* A timestamp that is `gap` ticks beyond the end, where no number is missing, of a codec whose packets do not say how long
 * they are: true, where the one before lasted longer, as this is the second of that length. */
static bool is_longer(struct rtp_media *media, int64_t gap) {
    uint32_t step = media->length + (uint32_t)gap;
    if (media->longer != step) {
        media->longer = step;
        return false;
    }
    int64_t ns = media->longer_gap > 0 ? media->longer_gap : -media->longer_gap;
    *(media->longer_gap > 0 ? &media->time.lost_ns : &media->time.pause_ns) -= ns;
    media->time.media_ns += ns + ns_of(media, gap);
    media->time.span_ns += ns_of(media, gap);
    media->length = step;
    media->longer = 0;
    media->taken_back = ns != 0;
    return true;
}

/* `missing` ticks beyond the end, and as many numbers; how many gaps that are. */
static int gaps_of(struct rtp_media *media, const struct rtp_piece *piece, int64_t gap, int64_t missing,
                   struct rtp_gap gaps[2]) {
    int64_t gap_ns = ns_of(media, gap) - media->beside_ns, lost_ns = ns_of(media, missing * media->length);
    int count = 0;
    media->longer_gap = 0;
    if (gap_ns <= 0) return 0;
    if (missing == 0) lost_ns = media->spoken && piece->kind == RTP_AUDIO && !piece->marker ? gap_ns : 0;
    if (lost_ns > gap_ns || (missing && media->length == 0)) lost_ns = gap_ns;
    int64_t pause_ns = gap_ns - lost_ns;
    media->longer_gap = lost_ns ? lost_ns : -pause_ns;
    media->time.lost_ns += lost_ns;
    media->time.pause_ns += pause_ns;
    media->time.span_ns += gap_ns;
    if (lost_ns)
        gaps[count++] = (struct rtp_gap){.at_ns = piece->at_ns,
                                         .missing_ns = lost_ns,
                                         .begin = piece->number - missing,
                                         .end = piece->number,
                                         .kind = RTP_LOST};
    if (pause_ns) gaps[count++] = (struct rtp_gap){.at_ns = piece->at_ns, .missing_ns = pause_ns, .kind = RTP_PAUSE};
    return count;
}

/* The next packet in order, of the same clock. */
static int go_on(struct rtp_media *media, const struct rtp_piece *piece, struct rtp_gap gaps[2]) {
    int64_t gap = (int32_t)(piece->timestamp - media->end), missing = piece->number - media->number - 1;
    bool told = piece->ticks || piece->kind == RTP_EVENT || !media->spoken || missing;
    int count = 0;
    if (!told && media->length == 0 && gap > 0) { /* so long the one before it was */
        media->length = (uint32_t)gap;
        media->time.media_ns += ns_of(media, gap);
        media->time.span_ns += ns_of(media, gap);
        gap = 0;
    } else if (!told && gap > 0) {
        if (!is_longer(media, gap)) count = gaps_of(media, piece, gap, missing, gaps);
    } else if (!told && gap < 0 && -gap < media->length) { /* that was shorter */
        media->length -= (uint32_t)-gap;
        media->time.media_ns += ns_of(media, gap);
        media->time.span_ns += ns_of(media, gap);
        media->end += (uint32_t)gap;
        gap = 0;
    } else if (gap > 0) {
        count = gaps_of(media, piece, gap, missing, gaps);
    } else {
        media->longer = 0;
    }
    int64_t ticks = length_of(media, piece), over = gap < 0 ? -gap : 0; /* lies over what came before */
    media->beside_ns = 0;
    if (piece->kind != RTP_EVENT) media->time.media_ns += ns_of(media, over < ticks ? over : ticks);
    if (over >= ticks) return count;
    last(media, piece, ticks - over);
    media->end = piece->timestamp + (uint32_t)ticks;
    return count;
}

int rtp_media_add(struct rtp_media *media, const struct rtp_piece *piece, struct rtp_gap gaps[2]) {
    bool timed = piece->tick_ns > 0 && (piece->kind == RTP_AUDIO || piece->kind == RTP_EVENT);
    int count = 0;
    media->taken_back = false;
    if (piece->came & RTP_CAME_COPY) return 0;
    if (piece->came & (RTP_CAME_ASIDE | RTP_CAME_ODDLY)) {
        if (timed && media->tick_ns == piece->tick_ns && piece->kind == RTP_AUDIO) {
            last(media, piece, length_of(media, piece));
            media->beside_ns += ns_of(media, length_of(media, piece));
        }
        if (piece->came & RTP_CAME_ODDLY) media->number = piece->number;
        return 0;
    }
    if (piece->came & RTP_CAME_LATE) return 0; /* rtp_media_fill */
    if (piece->came & RTP_CAME_ANEW && !(piece->came & RTP_CAME_BACK) && media->tick_ns > 0) {
        int64_t waited_ns = rtp_waited_ns(media->at_ns, piece->at_ns);
        gaps[count++] = (struct rtp_gap){.at_ns = piece->at_ns, .missing_ns = waited_ns, .kind = RTP_RESTART};
    }
    if (timed && (media->tick_ns != piece->tick_ns || piece->came & RTP_CAME_ANEW))
        begin(media, piece);
    else if (timed)
        count = go_on(media, piece, gaps);
    if (piece->ticks && piece->kind == RTP_AUDIO) media->length = piece->ticks;
    media->spoken = piece->kind == RTP_AUDIO && timed;
    media->number = piece->number;
    media->at_ns = piece->at_ns;
    return count;
}

/* A packet that came late, into `gap` where that is known (NULL): its time is no longer missing. */
void rtp_media_fill(struct rtp_media *media, const struct rtp_piece *piece, struct rtp_gap *gap) {
    if (piece->tick_ns != media->tick_ns || (piece->kind != RTP_AUDIO && piece->kind != RTP_EVENT)) return;
    bool is_event = piece->kind == RTP_EVENT;
    int64_t ns = ns_of(media, is_event ? media->length : length_of(media, piece));
    int64_t missing_ns = gap ? gap->missing_ns : media->time.lost_ns;
    int64_t filled_ns = ns < missing_ns ? ns : missing_ns > 0 ? missing_ns : 0;
    media->time.lost_ns -= filled_ns;
    *(is_event ? &media->time.event_ns : &media->time.media_ns) += is_event ? filled_ns : ns;
    media->time.span_ns += is_event ? 0 : ns - filled_ns;
    if (gap) gap->missing_ns -= filled_ns;
}
