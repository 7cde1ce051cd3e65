/* The doors: what Python asks, all by ctypes. A call is asked for by its Call-ID. */
#include <errno.h>
#include <pjsua-lib/pjsua.h>
#include <pjsua-lib/pjsua_internal.h>
#include <string.h>
#include <unistd.h>

#include "tap.h"

/* Hooks into pjsua, once it is initialised (after every libInit). 0, or a pj_status_t. */
int tap_install(void) {
    if (!pjsua_get_var()->endpt) return PJ_EINVALIDOP;
    tap_media_install();
    int status = tap_sip_install();
    return status ? status : tap_answers_install();
}

/* From now on the call of that Call-ID is counted, and where a path is given written there (up to max_bytes), beginning
 * with the messages that came shortly before. 0, or an errno. Of a call that is open already (tap_call_open), the first
 * capture has it all: the second's file is not made. */
int tap_open(const char *id, const char *path, uint64_t max_bytes) {
    int error = 0;
    struct tap_capture *capture = path ? tap_capture_new(path, max_bytes, &error) : NULL;
    if (error) return error;
    struct tap_call *call = tap_call_open(id);
    bool is_kept = call && tap_sip_replay(call, id, capture);
    if (capture && !is_kept) {
        tap_capture_close(capture);
        unlink(path);
    }
    if (!call) return ENOMEM;
    tap_call_release(call);
    return 0;
}

/* Ends what tap_open began. 0, or ENOENT. A call that goes on is not counted any more. */
int tap_close(const char *id, struct tap_captured *captured) { return tap_call_close(id, captured); }

/* How many calls are open, or still held by a media line. */
int tap_live_calls(void) { return tap_call_count(); }

/* tap_call_record; ENOENT: no such call. */
int tap_record(const char *id, const char *path) {
    struct tap_call *call = tap_call_find(id, strlen(id));
    if (!call) return ENOENT;
    int error = tap_call_record(call, path);
    tap_call_release(call);
    return error;
}

/* tap_call_record_end; ENOENT: no such call. */
int tap_record_end(const char *id, int64_t until_monotonic_ns, struct tap_recorded out[TAP_MAX_AUDIOS]) {
    struct tap_call *call = tap_call_find(id, strlen(id));
    if (!call) return ENOENT;
    int error = tap_call_record_end(call, until_monotonic_ns, out);
    tap_call_release(call);
    return error;
}

/* tap_call_mark. 0, or ENOENT. */
int tap_mark(const char *id) {
    struct tap_call *call = tap_call_find(id, strlen(id));
    if (!call) return ENOENT;
    tap_call_mark(call);
    tap_call_release(call);
    return 0;
}

/* What SRTP is to be in that call, from its next media line on. 0, or ENOENT. */
int tap_srtp(const char *id, const struct tap_srtp *wanted) {
    struct tap_call *call = tap_call_find(id, strlen(id));
    if (!call) return ENOENT;
    tap_call_srtp(call, wanted, NULL);
    tap_call_release(call);
    return 0;
}

/* tap_call_guards; -1: no such call. */
int tap_guards(const char *id, struct tap_guard *out, int room) {
    struct tap_call *call = tap_call_find(id, strlen(id));
    if (!call) return -1;
    int count = tap_call_guards(call, out, room);
    tap_call_release(call);
    return count;
}

/* tap_call_rows; -1: no such call. */
int tap_streams(const char *id, struct tap_stream *out, int room, struct tap_told *told) {
    struct tap_call *call = tap_call_find(id, strlen(id));
    if (!call) return -1;
    int count = tap_call_rows(call, out, room, told);
    tap_call_release(call);
    return count;
}
