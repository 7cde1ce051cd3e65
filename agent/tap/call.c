/* The calls that were asked for, by Call-ID: what their streams count, their capture, their recordings. Nothing else is
 * kept of any call, so that a flood of INVITEs costs nothing here. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tap.h"

#define BUCKETS 1024
#define PAST_CALLS 16384 /* a power of two */

struct stream {
    struct tap_counter *counter;
    struct tap_row *row; /* the newest */
    struct tap_address local, remote;
    uint32_t ssrc, mark;
    bool sent;
};

struct row {
    struct tap_row *row;
    unsigned stream;
    int32_t audio; /* -1: none */
};

struct audio {
    struct tap_audio *file;
    struct tap_address remote; /* family 0: nobody's yet */
};

struct tap_call {
    struct tap_call *next;
    uint64_t hash;
    size_t id_length;
    unsigned users, openings; /* guarded by table_lock */
    pthread_mutex_t lock;     /* guards what follows, and the paths of the call's media lines */
    struct tap_capture *capture;
    char *recording; /* path of the first file; NULL: what comes is not recorded */
    int64_t recording_began_ns;
    struct audio audios[TAP_MAX_AUDIOS];
    uint32_t mark, epoch;
    unsigned stream_count, row_count;
    uint64_t uncounted, strangers, other; /* struct tap_told */
    struct tap_address way_back;
    struct stream streams[TAP_MAX_ROWS];
    struct row rows[TAP_MAX_ROWS];
    char id[];
};

static struct tap_call *table[BUCKETS];
static int live; /* calls not freed yet */
static struct past {
    uint64_t hash;
    uint32_t epoch;
} past[PAST_CALLS]; /* calls that were closed: one that has their Call-ID goes on with their epochs */
static pthread_mutex_t table_lock = PTHREAD_MUTEX_INITIALIZER;

/* --- the table --- */

static uint64_t hash_of(const char *id, size_t length) {
    uint64_t hash = UINT64_C(14695981039346656037); /* FNV-1a */
    for (size_t i = 0; i < length; i++) hash = (hash ^ (uint8_t)id[i]) * UINT64_C(1099511628211);
    return hash;
}

static struct tap_call **bucket(const char *id, size_t length) { return &table[hash_of(id, length) % BUCKETS]; }

static struct tap_call *look_up(const char *id, size_t length) {
    struct tap_call *call = *bucket(id, length);
    while (call && (call->id_length != length || memcmp(call->id, id, length) != 0)) call = call->next;
    return call;
}

/* The call of that Call-ID, to be given back with tap_call_release; NULL where nobody asked for it. */
struct tap_call *tap_call_find(const char *id, size_t length) {
    pthread_mutex_lock(&table_lock);
    struct tap_call *call = look_up(id, length);
    if (call) call->users++;
    pthread_mutex_unlock(&table_lock);
    return call;
}

void tap_call_release(struct tap_call *call) {
    pthread_mutex_lock(&table_lock);
    bool last = --call->users == 0;
    live -= last;
    pthread_mutex_unlock(&table_lock);
    if (!last) return;
    for (unsigned i = 0; i < TAP_MAX_AUDIOS; i++)
        if (call->audios[i].file) tap_audio_close(call->audios[i].file, 0);
    free(call->recording);
    for (unsigned i = 0; i < call->stream_count; i++) tap_counter_free(call->streams[i].counter);
    pthread_mutex_destroy(&call->lock);
    free(call);
}

static struct tap_call *call_new(const char *id, size_t length) {
    struct tap_call *call = calloc(1, sizeof *call + length + 1);
    if (!call) return NULL;
    memcpy(call->id, id, length);
    call->id_length = length;
    call->hash = hash_of(id, length);
    pthread_mutex_init(&call->lock, NULL);
    struct tap_call **head = bucket(id, length);
    call->next = *head;
    *head = call;
    call->users = 1; /* the table */
    live++;
    if (past[call->hash % PAST_CALLS].hash == call->hash) call->epoch = past[call->hash % PAST_CALLS].epoch;
    return call;
}

/* The same, from now on counted; NULL: no memory. A call that meets itself here is opened twice and closed twice. */
struct tap_call *tap_call_open(const char *id) {
    pthread_mutex_lock(&table_lock);
    struct tap_call *call = look_up(id, strlen(id));
    if (!call) call = call_new(id, strlen(id));
    if (call) call->openings++, call->users++;
    pthread_mutex_unlock(&table_lock);
    return call;
}

/* Gives the call its capture; false where it has one. */
bool tap_call_capture(struct tap_call *call, struct tap_capture *capture) {
    pthread_mutex_lock(&call->lock);
    bool first = !call->capture;
    if (first) call->capture = capture;
    pthread_mutex_unlock(&call->lock);
    return first;
}

/* Ends what tap_call_open began. 0, or ENOENT. A call that goes on is not counted any more. */
int tap_call_close(const char *id, struct tap_captured *captured) {
    memset(captured, 0, sizeof *captured);
    pthread_mutex_lock(&table_lock);
    struct tap_call *call = look_up(id, strlen(id));
    bool last = call && --call->openings == 0;
    if (last) {
        struct tap_call **at = bucket(id, strlen(id));
        while (*at != call) at = &(*at)->next;
        *at = call->next;
        past[call->hash % PAST_CALLS] = (struct past){call->hash, call->epoch};
    }
    pthread_mutex_unlock(&table_lock);
    if (!call) return ENOENT;
    if (!last) return 0;
    pthread_mutex_lock(&call->lock);
    struct tap_capture *capture = call->capture;
    call->capture = NULL;
    pthread_mutex_unlock(&call->lock);
    if (capture) *captured = tap_capture_close(capture);
    tap_call_release(call);
    return 0;
}

/* How many calls are open, or still held by a media line. */
int tap_call_count(void) {
    pthread_mutex_lock(&table_lock);
    int count = live;
    pthread_mutex_unlock(&table_lock);
    return count;
}

/* --- what crosses the wire --- */

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

/* One more SDP of the call: what comes from now on is another epoch's. */
void tap_call_sdp(struct tap_call *call) {
    pthread_mutex_lock(&call->lock);
    call->epoch++;
    pthread_mutex_unlock(&call->lock);
}

/* Where the call's last INVITE, or answer to one, came from; that is set where `peer` is told. Family 0: not known. */
struct tap_address tap_call_way_back(struct tap_call *call, const struct tap_address *peer) {
    pthread_mutex_lock(&call->lock);
    if (peer) call->way_back = *peer;
    struct tap_address way_back = call->way_back;
    pthread_mutex_unlock(&call->lock);
    return way_back;
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

static void record(struct tap_call *call, const struct stream *stream, const struct way *way, enum tap_codec codec,
                   const struct rtp_header *packet, const uint8_t *bytes, int64_t monotonic_ns) {
    int32_t place = audio_of(call, way);
    if (place < 0) return;
    tap_audio_add(call->audios[place].file, codec, packet, bytes, monotonic_ns);
    for (unsigned i = call->row_count; stream && i-- > 0;) {
        if (call->rows[i].row != stream->row) continue;
        call->rows[i].audio = place;
        break;
    }
}

static void count_rtp(struct tap_call *call, const struct way *way, struct tap_time at, const struct rtp_header *packet,
                      const uint8_t *bytes, size_t length) {
    const struct tap_formats *formats = way->sent ? &way->path->sent : &way->path->received;
    struct stream *stream = stream_of(call, way, packet->ssrc);
    if (stream && has_row(call, stream, way))
        tap_count(stream->counter, formats, packet, bytes, length, at.real_ns, at.monotonic_ns);
    else if (is_peers(way))
        call->uncounted++;
    else
        call->strangers++;
    enum tap_codec codec = formats->codec[packet->payload_type];
    if (!way->sent && call->recording && (codec == TAP_PCMU || codec == TAP_PCMA))
        record(call, stream, way, codec, packet, bytes, at.monotonic_ns);
}

/* One packet of a call's media; `remote` NULL: where the path says; `arrived_ns` 0: now. */
void tap_call_media(struct tap_call *call, const struct tap_path *path, bool sent, bool rtcp,
                    const struct tap_address *remote, int64_t arrived_ns, const void *packet, size_t length) {
    struct rtp_header header;
    pthread_mutex_lock(&call->lock);
    struct tap_time now = tap_time_of(arrived_ns);
    struct way way = {.path = path,
                      .local = rtcp ? &path->local_rtcp : &path->local_rtp,
                      .remote = remote ? remote : rtcp ? &path->remote_rtcp : &path->remote_rtp,
                      .sent = sent};
    if (!rtcp && tap_rtp(packet, length, &header))
        count_rtp(call, &way, now, &header, packet, length);
    else if (!rtcp)
        call->other++;
    if (call->capture)
        tap_capture_write(call->capture, now.real_ns, sent ? way.local : way.remote, sent ? way.remote : way.local,
                          packet, length);
    pthread_mutex_unlock(&call->lock);
}

/* One SIP message of a call, kept without its secrets. */
void tap_call_sip(struct tap_call *call, int64_t real_ns, const struct tap_address *from, const struct tap_address *to,
                  const char *text, size_t length) {
    pthread_mutex_lock(&call->lock);
    char *copy = call->capture ? malloc(length) : NULL;
    if (copy) {
        memcpy(copy, text, length);
        tap_blank_secrets(copy, length);
        tap_capture_write(call->capture, real_ns, from, to, (const uint8_t *)copy, length);
        free(copy);
    }
    pthread_mutex_unlock(&call->lock);
}

/* From now on what the call receives is recorded: that of the first address in a new WAV file, that of others beside it,
 * `path`.1 and so on. 0, or an errno: of a call that is recorded already EEXIST. */
int tap_call_record(struct tap_call *call, const char *path) {
    int error = EEXIST;
    pthread_mutex_lock(&call->lock);
    if (!call->recording) {
        call->recording_began_ns = tap_now().monotonic_ns;
        call->audios[0].file = tap_audio_new(path, call->recording_began_ns, &error);
        call->recording = call->audios[0].file ? strdup(path) : NULL;
        if (call->recording) error = 0;
    }
    pthread_mutex_unlock(&call->lock);
    return error;
}

/* Ends the files, which last until that moment. 0, or ENOENT: the call is not recorded. */
int tap_call_record_end(struct tap_call *call, int64_t until_monotonic_ns, struct tap_recorded out[TAP_MAX_AUDIOS]) {
    struct audio audios[TAP_MAX_AUDIOS];
    memset(out, 0, TAP_MAX_AUDIOS * sizeof *out);
    pthread_mutex_lock(&call->lock);
    bool is_recorded = call->recording;
    free(call->recording);
    call->recording = NULL;
    memcpy(audios, call->audios, sizeof audios);
    memset(call->audios, 0, sizeof call->audios);
    pthread_mutex_unlock(&call->lock);
    for (unsigned i = 0; i < TAP_MAX_AUDIOS; i++) {
        tap_address_text(&audios[i].remote, out[i].remote);
        if (audios[i].file) out[i].error = tap_audio_close(audios[i].file, until_monotonic_ns);
    }
    return is_recorded ? 0 : ENOENT;
}

/* From now on streams are counted anew, beside what was counted so far, and the recordings begin anew, whoever sends: an
 * outgoing call was answered, for instance. */
void tap_call_mark(struct tap_call *call) {
    pthread_mutex_lock(&call->lock);
    call->mark++;
    call->recording_began_ns = tap_now().monotonic_ns;
    for (unsigned i = 0; i < TAP_MAX_AUDIOS; i++) {
        call->audios[i].remote.family = 0;
        if (call->audios[i].file) tap_audio_restart(call->audios[i].file, call->recording_began_ns);
    }
    for (unsigned i = 0; i < call->row_count; i++) call->rows[i].audio = -1;
    pthread_mutex_unlock(&call->lock);
}

/* The rows of a call's streams, in the order of their first packets, up to `room` of them; how many there are. */
int tap_call_rows(struct tap_call *call, struct tap_stream *out, int room, struct tap_told *told) {
    pthread_mutex_lock(&call->lock);
    *told = (struct tap_told){call->epoch, call->row_count, call->uncounted, call->strangers, call->other};
    for (unsigned i = 0; i < call->row_count && (int)i < room; i++) {
        const struct stream *stream = &call->streams[call->rows[i].stream];
        struct tap_stream *shown = &out[i];
        tap_row_read(stream->counter, call->rows[i].row, shown);
        shown->ssrc = stream->ssrc;
        shown->mark = stream->mark;
        shown->audio = call->rows[i].audio;
        tap_address_text(&stream->local, shown->local);
        tap_address_text(&stream->remote, shown->remote);
    }
    pthread_mutex_unlock(&call->lock);
    return (int)told->rows;
}
