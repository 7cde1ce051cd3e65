/* What crosses the wire of a call: its streams, packet by packet, and what is recorded of them. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "call.h"

/* What was agreed on before stays known: packets sent before a re-INVITE was answered are still under way. */
static void learn(struct tap_formats *known, const struct tap_formats *agreed) {
    for (unsigned i = 0; i < 128; i++) {
        if (!agreed->clock_hz[i]) continue;
        known->clock_hz[i] = agreed->clock_hz[i];
        known->codec[i] = agreed->codec[i];
    }
}

/* Media was negotiated, for the first time or again. */
void tap_call_formats(struct tap_call *call, struct tap_path *path, const struct tap_formats *sent,
                      const struct tap_formats *received) {
    pthread_mutex_lock(&call->lock);
    learn(&path->sent, sent);
    learn(&path->received, received);
    pthread_mutex_unlock(&call->lock);
}

/* A stream begins at these addresses. */
void tap_call_attached(struct tap_call *call, struct tap_path *path, const struct tap_path *now) {
    pthread_mutex_lock(&call->lock);
    path->local_rtp = now->local_rtp;
    path->local_rtcp = now->local_rtcp;
    path->remote_rtp = now->remote_rtp;
    path->remote_rtcp = now->remote_rtcp;
    for (unsigned i = 0; i < call->stream_count; i++)
        if (call->streams[i].sent) tap_counter_regrid(call->streams[i].counter);
    pthread_mutex_unlock(&call->lock);
}

/* One packet with where it came from or went to. */
struct way {
    const struct tap_path *path;
    const struct tap_address *local, *remote;
    bool sent;
};

static bool is_peers(const struct way *way) { return tap_same_host(way->remote, &way->path->remote_rtp); }

/* The stream of a packet, made where it is new; NULL where there is no room. */
static struct stream *stream_of(struct tap_call *call, const struct way *way, uint32_t ssrc) {
    for (unsigned i = call->stream_count; i-- > 0;) {
        struct stream *known = &call->streams[i];
        if (known->ssrc == ssrc && known->sent == way->sent && known->mark == call->mark &&
            tap_same_address(&known->local, way->local) && tap_same_address(&known->remote, way->remote))
            return known;
    }
    if (call->row_count + (is_peers(way) ? 0 : TAP_PEER_ROWS) >= TAP_MAX_ROWS) return NULL;
    struct tap_counter *made = tap_counter_new(way->sent);
    if (!made) return NULL;
    struct stream *begun = &call->streams[call->stream_count++];
    *begun = (struct stream){made, NULL, *way->local, *way->remote, ssrc, call->mark, way->sent};
    return begun;
}

/* Makes the newest row of a stream that of this epoch. Where there is no room, the one that there is goes on. */
static bool has_row(struct tap_call *call, struct stream *stream, const struct way *way) {
    if (stream->row && tap_row_epoch(stream->row) == call->epoch) return true;
    bool is_room = call->row_count + (is_peers(way) ? 0 : TAP_PEER_ROWS) < TAP_MAX_ROWS;
    struct tap_row *made =
        is_room ? tap_row_new(stream->counter, call->epoch, (int32_t)call->row_count) : NULL;
    if (made) {
        call->rows[call->row_count++] = (struct row){made, (unsigned)(stream - call->streams), -1};
        stream->row = made;
    } else if (stream->row) {
        tap_row_last(stream->row, call->epoch);
    }
    return stream->row != NULL;
}

/* The recording of what an address sends, made where it is new; -1 where there is none. */
static int32_t audio_of(struct tap_call *call, const struct way *way) {
    int32_t place = 0;
    while (place < TAP_MAX_AUDIOS && call->audios[place].remote.family &&
           !tap_same_address(&call->audios[place].remote, way->remote))
        place++;
    if (place == TAP_MAX_AUDIOS) return -1;
    struct audio *audio = &call->audios[place];
    if (!audio->remote.family && place == TAP_MAX_AUDIOS - 1 && !is_peers(way)) return -1;
    if (!audio->file) {
        char path[PATH_MAX];
        int error;
        if (snprintf(path, sizeof path, "%s.%d", call->recording, place) >= (int)sizeof path) return -1;
        audio->file = tap_audio_new(path, call->recording_began_ns, &error);
        if (!audio->file) return -1;
    }
    audio->remote = *way->remote;
    return place;
}

static void record(struct tap_call *call, const struct stream *stream, const struct way *way,
                   const struct tap_counted *packet) {
    int32_t place = audio_of(call, way);
    if (place < 0) return;
    tap_audio_add(call->audios[place].file, &way->path->received, &packet->header, packet->bytes,
                  packet->at.monotonic_ns);
    for (unsigned i = call->row_count; stream && i-- > 0;) {
        if (call->rows[i].row != stream->row) continue;
        call->rows[i].audio = place;
        break;
    }
}

static void count_rtp(struct tap_call *call, const struct way *way, const struct tap_counted *packet) {
    const struct tap_formats *formats = way->sent ? &way->path->sent : &way->path->received;
    struct stream *stream = stream_of(call, way, packet->header.ssrc);
    if (stream && has_row(call, stream, way))
        tap_count(stream->counter, formats, packet);
    else if (is_peers(way))
        call->uncounted++;
    else
        call->strangers++;
    bool is_heard = formats->codec[packet->header.payload_type] >= TAP_PCMU && packet->header.payload.wire;
    if (!way->sent && packet->bytes && call->recording && is_heard) record(call, stream, way, packet);
}

static void count(struct tap_call *call, const struct way *way, const struct tap_crossing *packet, struct tap_time at) {
    struct tap_counted counted = {
        .bytes = packet->clear, .wire_bytes = packet->wire_bytes, .fate = packet->fate, .at = at};
    bool is_clear = packet->clear != NULL;
    if (tap_is_dtls(packet->wire, packet->wire_bytes))
        tap_guard_dtls(call, way->path, packet->sent, packet->wire, packet->wire_bytes);
    else if (tap_rtp(is_clear ? packet->clear : packet->wire, is_clear ? packet->clear_bytes : packet->wire_bytes,
                     &counted.header))
        count_rtp(call, way, &counted);
    else
        call->other++;
}

/* One packet of a call's media. Its capture has it as it is on the wire. */
void tap_call_media(struct tap_call *call, const struct tap_path *path, const struct tap_crossing *packet) {
    bool sent = packet->sent, rtcp = packet->rtcp;
    pthread_mutex_lock(&call->lock);
    struct tap_time now = tap_time_of(packet->arrived_ns);
    struct way way = {.path = path,
                      .local = rtcp ? &path->local_rtcp : &path->local_rtp,
                      .remote = packet->remote ? packet->remote : rtcp ? &path->remote_rtcp : &path->remote_rtp,
                      .sent = sent};
    if (!rtcp) count(call, &way, packet, now);
    if (call->capture)
        tap_capture_write(call->capture, now.real_ns, sent ? way.local : way.remote, sent ? way.remote : way.local,
                          packet->wire, packet->wire_bytes);
    pthread_mutex_unlock(&call->lock);
}
