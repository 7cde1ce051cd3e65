/* The calls that were asked for, by Call-ID: what their streams count, their capture, their recordings. Nothing else is
 * kept of any call, so that a flood of INVITEs costs nothing here. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "call.h"

#define BUCKETS 1024
#define PAST_CALLS 16384 /* a power of two */

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

/* --- what is told of it --- */

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

/* What SRTP is to be in this call, where `wanted` is told: from its next media line on. What it was until then. */
void tap_call_srtp(struct tap_call *call, const struct tap_srtp *wanted, struct tap_srtp *known) {
    pthread_mutex_lock(&call->lock);
    if (known) *known = call->srtp;
    if (wanted) call->srtp = *wanted;
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
