/* A call that was asked for, as call.c, packets.c and guard.c see it. */
#ifndef CALLTEST_CALL_H
#define CALLTEST_CALL_H

#include "tap.h"

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
    struct tap_srtp srtp;
    unsigned guard_count;
    struct tap_guard guards[TAP_MAX_GUARDS];
    char id[];
};

struct tap_guard *tap_guard_now(struct tap_call *call, const struct tap_path *path);
void tap_guard_dtls(struct tap_call *call, const struct tap_path *path, bool sent, const uint8_t *packet, size_t length);

#endif
