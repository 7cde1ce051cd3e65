/* The calls that were asked for, by Call-ID: what their streams count, and their capture. Nothing else is kept of any
 * call, so that a flood of INVITEs costs nothing here. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tap.h"

#define BUCKETS 1024

struct counted {
    struct tap_counter *counter;
    struct tap_address local, remote;
    uint32_t ssrc, mark;
    bool sent;
};

struct tap_call {
    struct tap_call *next;
    size_t id_length;
    unsigned users, openings; /* guarded by table_lock */
    pthread_mutex_t lock;     /* guards what follows, and the paths of the call's media lines */
    struct tap_capture *capture;
    struct tap_audio *audio;
    uint32_t mark;
    uint32_t epoch; /* messages with an SDP so far */
    unsigned stream_count;
    uint64_t uncounted; /* packets of more streams than there is room for */
    struct counted streams[TAP_MAX_STREAMS];
    char id[];
};

static struct tap_call *table[BUCKETS];
static int live; /* calls not freed yet */
static pthread_mutex_t table_lock = PTHREAD_MUTEX_INITIALIZER;

#define SECOND_NS INT64_C(1000000000)

static int64_t clock_ns(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec * SECOND_NS + now.tv_nsec;
}

/* Both clocks at one moment: read again where we were interrupted between them. */
struct tap_time tap_now(void) {
    struct tap_time now;
    for (int tries = 0; tries < 5; tries++) {
        now.monotonic_ns = clock_ns(CLOCK_MONOTONIC);
        now.real_ns = clock_ns(CLOCK_REALTIME);
        if (clock_ns(CLOCK_MONOTONIC) - now.monotonic_ns < 20000) break;
    }
    return now;
}

/* That moment of a little while ago on both clocks; now, where it cannot be one (0: not known). */
struct tap_time tap_time_of(int64_t real_ns) {
    struct tap_time now = tap_now();
    int64_t ago_ns = now.real_ns - real_ns;
    if (ago_ns < 0 || ago_ns > 60 * SECOND_NS) return now;
    return (struct tap_time){real_ns, now.monotonic_ns - ago_ns};
}

void tap_address_text(const struct tap_address *address, char text[TAP_ADDRESS_TEXT]) {
    char ip[INET6_ADDRSTRLEN];
    *text = 0;
    if (address->family == 4 && inet_ntop(AF_INET, address->ip, ip, sizeof ip))
        snprintf(text, TAP_ADDRESS_TEXT, "%s:%u", ip, address->port);
    else if (address->family == 6 && inet_ntop(AF_INET6, address->ip, ip, sizeof ip))
        snprintf(text, TAP_ADDRESS_TEXT, "[%s]:%u", ip, address->port);
}

/* --- the table --- */

static struct tap_call **bucket(const char *id, size_t length) {
    uint32_t hash = 2166136261u; /* FNV-1a */
    for (size_t i = 0; i < length; i++) hash = (hash ^ (uint8_t)id[i]) * 16777619u;
    return &table[hash % BUCKETS];
}

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
    if (call->audio) tap_audio_close(call->audio, 0);
    for (unsigned i = 0; i < call->stream_count; i++) tap_counter_free(call->streams[i].counter);
    pthread_mutex_destroy(&call->lock);
    free(call);
}

static struct tap_call *call_new(const char *id, size_t length) {
    struct tap_call *call = calloc(1, sizeof *call + length + 1);
    if (!call) return NULL;
    memcpy(call->id, id, length);
    call->id_length = length;
    pthread_mutex_init(&call->lock, NULL);
    struct tap_call **head = bucket(id, length);
    call->next = *head;
    *head = call;
    call->users = 1; /* the table */
    live++;
    return call;
}

/* From now on the call of that Call-ID is counted, and where a path is given written there (up to max_bytes), beginning
 * with the messages that came shortly before. 0, or an errno. A call that meets itself here (one Call-ID twice) is opened
 * twice and closed twice: the first opening's capture has it all, the second's file is not made. */
int tap_open(const char *id, const char *path, uint64_t max_bytes) {
    int error = 0;
    struct tap_capture *capture = path ? tap_capture_new(path, max_bytes, &error) : NULL;
    if (error) return error;
    pthread_mutex_lock(&table_lock);
    struct tap_call *call = look_up(id, strlen(id));
    if (!call) call = call_new(id, strlen(id));
    if (call) call->openings++, call->users++;
    pthread_mutex_unlock(&table_lock);
    if (!call) {
        if (capture) tap_capture_close(capture), unlink(path);
        return ENOMEM;
    }
    if (!tap_messages_into(call, id, capture) && capture) {
        tap_capture_close(capture);
        unlink(path);
    }
    tap_call_release(call);
    return 0;
}

/* Gives the call its capture; false where it has one. */
bool tap_call_capture(struct tap_call *call, struct tap_capture *capture) {
    pthread_mutex_lock(&call->lock);
    bool first = !call->capture;
    if (first) call->capture = capture;
    pthread_mutex_unlock(&call->lock);
    return first;
}

/* A message of the call has an SDP: a new epoch begins. */
uint32_t tap_call_sdp(struct tap_call *call) {
    pthread_mutex_lock(&call->lock);
    uint32_t epoch = ++call->epoch;
    pthread_mutex_unlock(&call->lock);
    return epoch;
}

/* Ends what tap_open began. 0, or ENOENT. A call that goes on is not counted any more. */
int tap_close(const char *id, struct tap_captured *captured) {
    memset(captured, 0, sizeof *captured);
    pthread_mutex_lock(&table_lock);
    struct tap_call *call = look_up(id, strlen(id));
    bool last = call && --call->openings == 0;
    if (last) {
        struct tap_call **at = bucket(id, strlen(id));
        while (*at != call) at = &(*at)->next;
        *at = call->next;
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
int tap_live_calls(void) {
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

static bool equal(const struct tap_address *a, const struct tap_address *b) {
    return a->family == b->family && a->port == b->port && memcmp(a->ip, b->ip, sizeof a->ip) == 0;
}

/* The counter of a stream, made where it is new; NULL where there are too many. */
static struct tap_counter *counter_of(struct tap_call *call, const struct tap_address *local,
                                      const struct tap_address *remote, bool sent, uint32_t ssrc) {
    for (unsigned i = call->stream_count; i-- > 0;) {
        struct counted *known = &call->streams[i];
        if (known->ssrc == ssrc && known->sent == sent && known->mark == call->mark && equal(&known->local, local) &&
            equal(&known->remote, remote))
            return known->counter;
    }
    struct tap_counter *made = call->stream_count < TAP_MAX_STREAMS ? tap_counter_new(sent) : NULL;
    if (made) call->streams[call->stream_count++] = (struct counted){made, *local, *remote, ssrc, call->mark, sent};
    return made;
}

/* One packet of a call's media; `remote` NULL: where the path says; `arrived_ns` 0: now. */
void tap_call_media(struct tap_call *call, const struct tap_path *path, bool sent, bool rtcp,
                    const struct tap_address *remote, int64_t arrived_ns, const void *packet, size_t length) {
    const uint8_t *bytes = packet;
    pthread_mutex_lock(&call->lock);
    struct tap_time now = tap_time_of(arrived_ns);
    const struct tap_address *local = rtcp ? &path->local_rtcp : &path->local_rtp;
    if (!remote) remote = rtcp ? &path->remote_rtcp : &path->remote_rtp;
    if (!rtcp && tap_is_rtp(bytes, length)) {
        uint32_t ssrc = (uint32_t)bytes[8] << 24 | bytes[9] << 16 | bytes[10] << 8 | bytes[11];
        struct tap_counter *counter = counter_of(call, local, remote, sent, ssrc);
        const struct tap_formats *formats = sent ? &path->sent : &path->received;
        if (counter)
            tap_count(counter, formats, bytes, length, now.real_ns, now.monotonic_ns);
        else
            call->uncounted++;
        enum tap_codec codec = formats->codec[bytes[1] & 127];
        if (!sent && call->audio && (codec == TAP_PCMU || codec == TAP_PCMA))
            tap_audio_add(call->audio, codec, bytes, length, now.monotonic_ns);
    }
    if (call->capture)
        tap_capture_write(call->capture, now.real_ns, sent ? local : remote, sent ? remote : local, bytes, length);
    pthread_mutex_unlock(&call->lock);
}

/* One SIP message of a call; what is kept of it has no digests. */
void tap_call_sip(struct tap_call *call, int64_t real_ns, const struct tap_address *from, const struct tap_address *to,
                  const char *text, size_t length) {
    pthread_mutex_lock(&call->lock);
    char *copy = call->capture ? malloc(length) : NULL;
    if (copy) {
        memcpy(copy, text, length);
        tap_blank_digests(copy, length);
        tap_capture_write(call->capture, real_ns, from, to, (const uint8_t *)copy, length);
        free(copy);
    }
    pthread_mutex_unlock(&call->lock);
}

/* --- what is asked --- */

/* From now on what the call receives is written to a new WAV file. 0, or an errno: of a call that is recorded already
 * EEXIST. */
int tap_record(const char *id, const char *path) {
    int error = 0;
    struct tap_call *call = tap_call_find(id, strlen(id));
    if (!call) return ENOENT;
    pthread_mutex_lock(&call->lock);
    if (call->audio)
        error = EEXIST;
    else
        call->audio = tap_audio_new(path, &error);
    pthread_mutex_unlock(&call->lock);
    tap_call_release(call);
    return error;
}

/* Ends the file, which lasts until that moment. 0, or an errno; ENOENT: the call is not recorded. */
int tap_record_end(const char *id, int64_t until_monotonic_ns) {
    struct tap_call *call = tap_call_find(id, strlen(id));
    if (!call) return ENOENT;
    pthread_mutex_lock(&call->lock);
    struct tap_audio *audio = call->audio;
    call->audio = NULL;
    pthread_mutex_unlock(&call->lock);
    tap_call_release(call);
    return audio ? tap_audio_close(audio, until_monotonic_ns) : ENOENT;
}

/* From now on streams are counted anew, beside what was counted so far, and the recording begins anew: an outgoing call
 * was answered, for instance. 0, or ENOENT. */
int tap_mark(const char *id) {
    struct tap_call *call = tap_call_find(id, strlen(id));
    if (!call) return ENOENT;
    pthread_mutex_lock(&call->lock);
    call->mark++;
    if (call->audio) tap_audio_restart(call->audio);
    pthread_mutex_unlock(&call->lock);
    tap_call_release(call);
    return 0;
}

/* The streams of a call, in the order of their first packets, up to `room` of them; how many, or -1: no such call.
 * `uncounted`: packets of streams that came after TAP_MAX_STREAMS others. */
int tap_streams(const char *id, struct tap_stream *out, int room, uint64_t *uncounted) {
    struct tap_call *call = tap_call_find(id, strlen(id));
    if (!call) return -1;
    int count = 0;
    pthread_mutex_lock(&call->lock);
    *uncounted = call->uncounted;
    for (unsigned i = 0; i < call->stream_count && count < room; i++) {
        struct counted *known = &call->streams[i];
        struct tap_stream *shown = &out[count++];
        *shown = *tap_counter_read(known->counter);
        shown->ssrc = known->ssrc;
        shown->mark = known->mark;
        tap_address_text(&known->local, shown->local);
        tap_address_text(&known->remote, shown->remote);
    }
    pthread_mutex_unlock(&call->lock);
    tap_call_release(call);
    return count;
}
