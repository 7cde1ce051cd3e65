/* RFC 3551 §6, tables 4 and 5: payload types that an SDP need not explain. */
#ifndef CALLTEST_TYPES_H
#define CALLTEST_TYPES_H

#include <stdint.h>

#define RTP_STATIC_TYPES 35
#define RTP_COMFORT_NOISE 13

/* ctypes. Without a name: none. */
struct rtp_static_type {
    char name[8];
    uint32_t clock_hz; /* of its timestamps */
    uint32_t channels;
};

extern const struct rtp_static_type rtp_static_types[RTP_STATIC_TYPES];

#endif
