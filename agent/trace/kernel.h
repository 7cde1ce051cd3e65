/* The hot path of `calltest trace`: what is done for each packet of a capture.
 *
 * walk.c      where the records of a capture are
 * headers.c   IP, UDP, RTP: records to packets
 * tunnels.c   link layers, and what else stands around IP packets
 * flows.c     which stream each packet belongs to, and what it adds to it
 *
 * What it adds is counted as the tap counts it: agent/rtp, counting.c and events.c.
 *
 * All memory is the caller's (agent/trace/kernel.py); nothing is read outside of what it says is there, whatever the
 * capture claims. Structures marked "numpy" or "ctypes" are those of kernel.py: change both. Times are ns since 1970;
 * those that damage made up wrap around.
 */
#ifndef CALLTEST_KERNEL_H
#define CALLTEST_KERNEL_H

#include "counting.h"
#include "events.h"

/* ctypes. What it was built from, as agent/trace/kernel.py's sources_key says: a library of other sources could count
 * anything. The build defines TRACE_SOURCES. */
extern const char trace_sources[];
extern const uint32_t trace_sizes[]; /* bytes of the structures that kernel.py has too: a test compares them */

/* --- walk.c --- */

/* numpy. One packet as a capture has it. */
struct record {
    int64_t offset; /* of its first byte in the data */
    int64_t time_ns;
    uint32_t captured; /* bytes there are */
    uint32_t wire;     /* bytes it had */
    uint32_t link;     /* LINKTYPE_ of www.tcpdump.org/linktypes.html */
    uint32_t unused;
};

/* What a pcap file's header said. ctypes. */
struct pcap_format {
    uint8_t swapped;
    uint32_t unit_ns; /* of the fraction of a second: 1000 or 1 */
    uint32_t max_captured;
    uint32_t link;
};

/* ctypes. How far a walk came. */
struct walked {
    int64_t used;    /* bytes */
    uint8_t damaged; /* what is next is no record, however much more of the file comes */
};

#define PCAP_MAX_JUMP_S 86400 /* what stands near in a file was captured within a day */
#define PCAP_MAX_CARRY_S 4    /* in a fraction that was not carried over to its second; what 32 bits of ns can hold */

int64_t trace_pcap(const uint8_t *data, int64_t end, uint8_t ended, const struct pcap_format *format,
                   struct record *records, int64_t room, struct walked *walked);
int64_t trace_pcapng(const uint8_t *data, int64_t end, uint8_t swapped, uint32_t max_length, int64_t *positions,
                     int64_t *lengths, int64_t room);

/* --- headers.c --- */

/* numpy. A UDP datagram that may be RTP. */
struct packet {
    int64_t time_ns;
    int64_t offset;   /* of the RTP payload */
    int64_t sequence; /* extended: counting's word */
    uint64_t hosts;   /* source in the lower half, destination in the upper, as agent/trace/wire/addresses.py numbers them */
    uint64_t rest;    /* ports, then SSRC, as they stand in the headers, loaded little-endian */
    int32_t row;      /* which record it was */
    uint32_t captured; /* bytes of the payload that there are, padding not counted where it is known */
    uint32_t wire;     /* bytes the payload had */
    uint32_t timestamp;
    uint32_t head; /* first four bytes of the payload, big-endian; 0 where there are fewer */
    int32_t flow, meaning; /* counting's word */
    uint16_t number;       /* sequence number */
    uint8_t payload_type;
    uint8_t event; /* counting's word: no audio, RFC 4733; until it is counted, the marker bit */
};

enum odd_kind {
    ODD_IP,   /* an IP packet that is a fragment, has odd addresses, or, of IPv6, extension headers or TCP: begin to end */
    ODD_UDP6, /* IPv6 with UDP right behind: begin to end */
    ODD_TCP,  /* a segment with data, or that begins a connection; `ports` is its length on the wire */
    ODD_CHANNEL, /* what TURN's ChannelData carries; its header is the 4 bytes before: agent/trace/wire/turn.py */
    ODD_STUN, /* a message of TURN that binds a channel, or carries a datagram */
    ODD_HEP,  /* a packet of HEP 3: agent/trace/wire/hep.py */
    ODD_SIP,  /* a UDP payload */
    ODD_DTLS, /* a UDP payload: a handshake */
};

/* The same memory, given back. */
enum given_kind {
    GIVEN_PROTOCOL, /* what an IP packet carried; `ports` is its protocol */
    GIVEN_PAYLOAD,  /* a UDP payload, whichever ports it has */
    GIVEN_CHANNEL,  /* that, and the 4 bytes of ChannelData before it */
};

/* numpy. What is not for this file to read. */
struct odd {
    int64_t row, begin, end;
    uint64_t hosts;
    uint32_t ports, kind;
};

/* What is not read, and how `unread` numbers it. */
enum unread_layer {
    UNREAD_OTHER, /* more than there is room for */
    UNREAD_LINK,  /* LINKTYPE_ */
    UNREAD_TYPE,  /* EtherType */
    UNREAD_PROTOCOL, /* of IP */
    UNREAD_PPP, UNREAD_GRE,
    UNREAD_UDP, /* port */
    UNREAD_NSH, /* next protocol */
    UNREAD_MPLS,
    UNREAD_DEPTH, /* more headers than anybody stacks */
};

#define MAX_UNREAD 32

/* ctypes */
struct unread {
    uint32_t layer, number;
    int64_t count;
};

/* ctypes. Where packets go. There is room for as many of each as there are records or datagrams. */
struct found {
    struct packet *packets;
    struct odd *odds;
    int64_t packet_count, odd_count;
    int64_t cut;         /* datagrams cut before the end of an RTP header */
    int64_t cut_sip;     /* messages that are not whole */
    int64_t cut_tunnels; /* packets whose headers end within one */
    int64_t odd_rtp;     /* what looks like RTP, but for a header or padding longer than the datagram */
    int64_t damaged_udp; /* datagrams whose length is impossible */
    struct unread unread[MAX_UNREAD];
    int32_t unread_count;
};

void trace_packets(const uint8_t *data, int64_t size, const struct record *records, int64_t count, struct found *found);
void trace_datagrams(const uint8_t *data, int64_t size, int64_t base, const struct record *records,
                     const struct odd *datagrams, int64_t count, struct found *found);

/* --- flows.c --- */

#define MAX_EVENTS 1000000 /* of all streams */

/* numpy. How fast the timestamps of a flow's audio go, where its clock is not known. */
struct pace {
    int64_t at_ns; /* of the last packet */
    int64_t ticks, ns;
    uint32_t timestamp, packets;
};

/* When a packet of the same addresses and SSRC is another flow's: agent/trace/streams/streams.py sets it. */
enum flow_state {
    FLOW_ALONE,   /* nothing is known: what plays it again after a silence, or after a long one does not go on */
    FLOW_IN_CALL, /* only what plays it again */
    FLOW_OVER,    /* its call is over, or another's address is where it goes: what does not go on */
    FLOW_CLOSED,  /* any */
};

/* numpy. One (source, destination, SSRC) that may be an RTP stream, in one call. */
struct flow {
    uint64_t hosts, rest; /* of struct packet */
    int64_t source, destination; /* addresses and ports as agent/trace/streams/flows.py's `place` makes them */
    int64_t order; /* of its first packet */
    int64_t first_ns, last_ns, max_delta_ns;
    struct rtp_sequence sequence;
    struct rtp_jitter jitter;
    uint64_t not_event[2]; /* a bit for each undeclared payload type that is too long for an event */
    struct pace pace;
    int32_t meaning, heard; /* row of struct meanings in force, and that of the last packet */
    int32_t opened;         /* of struct rtp_event_store */
    int32_t next_free;      /* of rows that are not live */
    int32_t before;         /* the flow that it took the place of; -1: none */
    uint32_t first_timestamp;
    uint32_t audio_bytes; /* of the last packet of audio */
    uint32_t odd_events;  /* packets of declared events whose payload is no event's length */
    uint32_t wild_events; /* of them, those whose code is no key either: they are no digits */
    uint16_t first_number;
    uint8_t declared, live;
    uint8_t followed; /* another one took its place */
    uint8_t state;
    uint8_t unused[6];
};

/* ctypes. What payload types mean: `count` rows of 128. agent/trace/streams/formats.py. */
struct meanings {
    const uint8_t *kind;
    const double *tick_ns;
    const uint8_t *encrypted; /* one for each row */
    int64_t count;
};

enum meaning_kind { MEANS_UNKNOWN, MEANS_AUDIO, MEANS_EVENT };

/* ctypes. All streams so far. */
struct table {
    struct flow *flows;
    uint32_t *by_type;       /* packets by payload type, 128 for each flow */
    struct rtp_open_event *open; /* RTP_OPEN_EVENTS for each flow */
    int32_t *slots;          /* hash table of flows; -1: free. More than twice as many as there is room for flows */
    struct rtp_event *events;
    struct rtp_holes holes;
    int64_t slot_mask; /* their number, a power of two, less 1 */
    int64_t slot_shift; /* 64 less its logarithm */
    uint64_t seed; /* of the hash, so that no capture can be made to fill it badly */
    int64_t order; /* flows ever begun */
    int64_t cut_events;     /* event packets whose payload was cut off */
    int64_t refused_events; /* event packets beyond MAX_EVENTS */
    int32_t flow_room, flow_count, free_flow, free_flows;
    int32_t event_room, event_count;
    int32_t max_holes; /* that `holes` may grow to */
};

enum counted { COUNTED_ALL, COUNTED_UP_TO_A_NEW_FLOW, COUNTED_AS_FAR_AS_THERE_IS_ROOM };

int32_t trace_count(struct table *table, const struct meanings *meanings, struct packet *packets, int64_t *at,
                    int64_t end, uint8_t tell_new);
void trace_enter(struct table *table);
void trace_forget(struct table *table, const int64_t *rows, int64_t count);

#endif
