/* What a frame's headers lead to, one after the other: headers.c walks, tunnels.c knows what stands around IP packets on
 * mirrored and access networks. */
#ifndef CALLTEST_LAYERS_H
#define CALLTEST_LAYERS_H

#include "bytes.h"
#include "kernel.h"

/* What comes next in a datagram. */
enum layer {
    DONE, /* it was taken, or is of no interest */
    UNREAD, /* `unread` and `number` say what it is */
    CUT,    /* a header is not whole: damaged, or cut by a snap length */
    IP, PROTOCOL, UDP_DATAGRAM,
    ETHERNET, TYPE, LLC, PPPOE, PPP, MPLS,
};

/* Of a record or of a packet in it, what is still to be read: `begin` to `end`, the end of what was captured. */
struct datagram {
    int64_t row, time_ns, begin, end;
    uint64_t hosts; /* of the innermost IP packet so far */
    uint32_t wire;  /* PROTOCOL: bytes it had */
    uint32_t number; /* TYPE: EtherType (IEEE 802), PROTOCOL: that of IP (IANA protocol-numbers) */
    enum unread_layer unread;
};

enum { PROTOCOL_TCP = 6, PROTOCOL_UDP = 17, PROTOCOL_AUTHENTICATION = 51 };

enum layer tunnel_link(const uint8_t *data, uint32_t link, struct datagram *one);
enum layer tunnel_step(const uint8_t *data, enum layer layer, struct datagram *one);
enum layer tunnel_protocol(const uint8_t *data, struct datagram *one);
enum layer tunnel_udp(const uint8_t *data, uint16_t source, uint16_t destination, struct datagram *one);
bool tunnel_is_vxlan(uint16_t port);

#endif
