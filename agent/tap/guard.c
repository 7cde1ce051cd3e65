/* What SRTP came to in a call, epoch by epoch: its keys, and the handshake that they came of. */
#include <string.h>

#include "call.h"

/* That of the present epoch, or of the one that an answer of ours will begin: it takes keys before it is sent. What is in
 * use goes on from one to the next; where there is no room, the last goes on. With the call's lock. */
struct tap_guard *tap_guard_now(struct tap_call *call, const struct tap_path *path) {
    uint32_t epoch = path->answering > call->epoch ? path->answering : call->epoch;
    struct tap_guard *newest = call->guard_count ? &call->guards[call->guard_count - 1] : NULL;
    if (newest && (newest->epoch >= epoch || call->guard_count == TAP_MAX_GUARDS)) return newest;
    struct tap_guard *made = &call->guards[call->guard_count++];
    *made = (struct tap_guard){.epoch = epoch};
    if (!newest) return made;
    made->active = newest->active;
    made->keying = newest->keying;
    memcpy(made->sent_suite, newest->sent_suite, sizeof made->sent_suite);
    memcpy(made->received_suite, newest->received_suite, sizeof made->received_suite);
    return made;
}

/* One datagram of DTLS. With the call's lock. */
void tap_guard_dtls(struct tap_call *call, const struct tap_path *path, bool sent, const uint8_t *packet,
                    size_t length) {
    struct tap_guard *guard = tap_guard_now(call, path);
    struct tap_dtls seen = tap_dtls_read(packet, length);
    *(sent ? &guard->dtls_sent : &guard->dtls_received) += 1;
    *(sent ? &guard->hellos_sent : &guard->hellos_received) += seen.hello;
    if (!seen.alerted || guard->alerted) return;
    guard->alerted = true;
    guard->alert = seen.alert;
    guard->alert_sent = sent;
}

/* The answer to the offer that came last is being made, and will be the next SDP of the call. */
void tap_call_answering(struct tap_call *call, struct tap_path *path) {
    pthread_mutex_lock(&call->lock);
    path->answering = call->epoch + 1;
    pthread_mutex_unlock(&call->lock);
}

static void keep(struct tap_call *call, struct tap_path *path, const struct tap_keys *now) {
    path->told = now->ticket;
    struct tap_guard *guard = tap_guard_now(call, path);
    if (now->active && (!guard->active || !guard->keyed_ns)) guard->keyed_ns = tap_now().monotonic_ns;
    guard->active = now->active;
    guard->keying = (uint8_t)now->keying;
    memcpy(guard->sent_suite, now->sent_suite, sizeof guard->sent_suite);
    memcpy(guard->received_suite, now->received_suite, sizeof guard->received_suite);
}

/* What SRTP is from now on; what somebody else asked for later is newer, whoever comes first. */
void tap_call_keys(struct tap_call *call, struct tap_path *path, const struct tap_keys *now) {
    pthread_mutex_lock(&call->lock);
    if (now->ticket > path->told) keep(call, path, now);
    pthread_mutex_unlock(&call->lock);
}

/* The handshake came to its end. */
void tap_call_dtls_end(struct tap_call *call, const struct tap_path *path, int32_t status) {
    pthread_mutex_lock(&call->lock);
    struct tap_guard *guard = tap_guard_now(call, path);
    guard->done = true;
    if (status) guard->status = status;
    pthread_mutex_unlock(&call->lock);
}

/* The first `room` of them; how many there are. */
int tap_call_guards(struct tap_call *call, struct tap_guard *out, int room) {
    pthread_mutex_lock(&call->lock);
    int count = (int)call->guard_count;
    memcpy(out, call->guards, (size_t)(count < room ? count : room) * sizeof *out);
    pthread_mutex_unlock(&call->lock);
    return count;
}
