/* The last SIP messages that crossed the wire, or did not: kept for their reader, and for calls that are opened for an
 * INVITE that has just come. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "messages.h"

#define MESSAGES 16384
#define MESSAGES_BYTES (16 * 1024 * 1024)

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards all of these; taken before the locks of call.c */
static struct message *ring[MESSAGES];
static uint64_t oldest = 1, newest; /* numbers of messages kept: none where oldest > newest */
static uint64_t unkept, unkept_told; /* for want of memory */
static uint64_t told;                /* captures have all up to this number */
static size_t bytes_kept;
static int wake = -1; /* an eventfd of the reader's */

static void drop_oldest(void) {
    struct message *gone = ring[oldest % MESSAGES];
    ring[oldest++ % MESSAGES] = NULL;
    if (!gone) return;
    bytes_kept -= sizeof *gone + gone->shown.length + gone->id_length;
    free(gone);
}

/* Gives the message its number and keeps it. */
static void keep(struct message *message) {
    size_t bytes = sizeof *message + message->shown.length + message->id_length;
    newest++;
    while (oldest < newest && (newest - oldest >= MESSAGES || bytes_kept + bytes > MESSAGES_BYTES)) drop_oldest();
    ring[newest % MESSAGES] = message;
    message->shown.number = newest;
    bytes_kept += bytes;
}

static struct message *kept(uint64_t number) {
    return number && number >= oldest && number <= newest ? ring[number % MESSAGES] : NULL;
}

static void wake_reader(void) {
    const uint64_t one = 1;
    if (wake >= 0 && write(wake, &one, sizeof one) < 0 && errno != EAGAIN) wake = -1;
}

static void write_to(struct tap_call *call, const struct message *message) {
    bool sent = message->shown.sent;
    tap_call_sip(call, message->shown.real_ns, sent ? &message->local : &message->peer,
                 sent ? &message->peer : &message->local, message->text, message->shown.length);
}

/* The call of a message, to be given back; it is told of an SDP, and of the way to its peer, once. */
static struct tap_call *call_of(struct message *message) {
    struct tap_call *call =
        message->id_length ? tap_call_find(message->text + message->shown.length, message->id_length) : NULL;
    if (!call || message->counted) return call;
    if (message->shown.sdp) tap_call_sdp(call);
    if (message->leads_back) tap_call_way_back(call, &message->peer);
    message->counted = true;
    return call;
}

/* Tells captures and the reader of what has crossed, in its order: none beyond one that is being sent. */
static void tell(void) {
    if (told + 1 < oldest) told = oldest - 1;
    for (; told < newest; told++) {
        struct message *message = ring[(told + 1) % MESSAGES];
        if (message && message->sending) break;
        struct tap_call *call = message && !message->shown.unsent ? call_of(message) : NULL;
        if (!call) continue;
        write_to(call, message);
        tap_call_release(call);
    }
    wake_reader();
}

static void settle(struct message *message, int32_t status) {
    message->sending = false;
    message->shown.unsent = status;
    tell();
}

/* Keeps a message that has crossed the wire, or is about to; its number, or 0: NULL stands for one that found no memory. */
uint64_t tap_message_saw(struct message *message, bool sending) {
    uint64_t number = 0;
    pthread_mutex_lock(&lock);
    if (message) {
        message->sending = sending;
        keep(message);
        number = message->shown.number;
        struct tap_call *call = call_of(message); /* a new epoch begins now, even where it will be told of later */
        if (call) tap_call_release(call);
        tell();
    } else {
        unkept++;
    }
    pthread_mutex_unlock(&lock);
    return number;
}

/* What became of a message that was handed to its transport: 0, or a pj_status_t. */
void tap_message_left(uint64_t number, int32_t status) {
    pthread_mutex_lock(&lock);
    struct message *message = kept(number);
    if (message) settle(message, status);
    pthread_mutex_unlock(&lock);
}

/* Its transport sends it later: that it waits is told, and a copy is given for tap_message_late; NULL where it is not
 * kept any more. */
struct message *tap_message_put_off(uint64_t number, int32_t status) {
    pthread_mutex_lock(&lock);
    struct message *message = kept(number), *copy = NULL;
    if (message) {
        size_t bytes = sizeof *message + message->shown.length + message->id_length;
        copy = malloc(bytes);
        if (copy) memcpy(copy, message, bytes);
        settle(message, status);
    }
    pthread_mutex_unlock(&lock);
    return copy;
}

/* It crosses now, or never will. */
void tap_message_late(struct message *message, int32_t status) {
    struct tap_time now = tap_now();
    message->shown.real_ns = now.real_ns;
    message->shown.monotonic_ns = message->shown.read_ns = now.monotonic_ns;
    pthread_mutex_lock(&lock);
    keep(message);
    settle(message, status);
    pthread_mutex_unlock(&lock);
}

/* A call is open from now on: it is told of those of its messages that are still kept. With a capture (or NULL) it
 * gets that, beginning with them; false where it has one. */
bool tap_sip_replay(struct tap_call *call, const char *id, struct tap_capture *capture) {
    size_t length = strlen(id);
    pthread_mutex_lock(&lock);
    bool first = capture && tap_call_capture(call, capture);
    for (uint64_t number = oldest; number <= newest; number++) {
        struct message *message = ring[number % MESSAGES];
        if (!message || message->id_length != length || memcmp(message->text + message->shown.length, id, length) != 0)
            continue;
        struct tap_call *same = call_of(message);
        if (first && number <= told && !message->shown.unsent) write_to(call, message);
        if (same) tap_call_release(same);
    }
    pthread_mutex_unlock(&lock);
    return first;
}

/* The first message kept with a number above `after`, its text cut to `room`; 0 where there is none yet. `missed`:
 * how many before it are gone, because they were not asked for in time. */
int tap_message(uint64_t after, struct tap_message *out, char *text, size_t room) {
    pthread_mutex_lock(&lock);
    uint64_t number = after < oldest ? oldest : after + 1;
    while (number <= newest && !ring[number % MESSAGES]) number++;
    const struct message *message = number <= newest ? ring[number % MESSAGES] : NULL;
    if (message && message->sending) message = NULL;
    if (message) {
        *out = message->shown;
        out->missed = (after + 1 < oldest ? oldest - after - 1 : 0) + unkept - unkept_told;
        unkept_told = unkept;
        memcpy(text, message->text, message->shown.length < room ? message->shown.length : room);
    }
    pthread_mutex_unlock(&lock);
    return message != NULL;
}

/* As a message does: there is something else to read. */
void tap_wake_reader(void) {
    pthread_mutex_lock(&lock);
    wake_reader();
    pthread_mutex_unlock(&lock);
}

/* An eventfd that is written to for each message, and each change of a connection, from now on; -1: none. */
void tap_wake(int eventfd) {
    pthread_mutex_lock(&lock);
    wake = eventfd;
    pthread_mutex_unlock(&lock);
}
