/* Link layer, IP (RFC 791, 8200), UDP, RTP (RFC 3550 §5.1): where each record's RTP is, and what it says. */
#include "bytes.h"
#include "header.h"
#include "kernel.h"

enum link { LINK_NULL = 0, LINK_ETHERNET = 1, LINK_RAW_12 = 12, LINK_RAW_14 = 14, LINK_RAW = 101, LINK_LOOP = 108,
            LINK_SLL = 113, LINK_IPV4 = 228, LINK_IPV6 = 229, LINK_SLL2 = 276 };
enum { NO_IP = -1, NO_LINK = -2 };

#define MAX_TAGS 4
#define IPV4_HEADER 20
#define IPV6_HEADER 40
#define UDP_HEADER 8
#define UDP 17
#define NUMBERED 255 /* first byte of IPv4 addresses that agent/trace/wire/addresses.py numbers as it does IPv6 */
#define MIN_PORT 1024 /* lower ones are DNS and its like */
#define DTLS_HANDSHAKE 22
#define DTLS_HEADER 13

/* A datagram: `end` is that of what was captured. */
struct datagram {
    int64_t row, time_ns, begin, end;
    uint64_t hosts;
};

static bool is_tag(uint16_t type) { return type == 0x8100 || type == 0x88A8 || type == 0x9100; }

/* Behind an EtherType that stands at `type_at`, with any VLAN tags between. */
static int64_t behind_type(const uint8_t *frame, uint32_t captured, uint32_t type_at, uint32_t begin) {
    if (captured <= begin) return NO_IP;
    uint16_t type = big16(frame + type_at);
    for (int tags = 0; tags < MAX_TAGS && is_tag(type) && begin + 4 < captured; tags++) {
        type = big16(frame + begin + 2);
        begin += 4;
    }
    return type == 0x0800 || type == 0x86DD ? (int64_t)begin : NO_IP;
}

/* Where in a frame the IP packet begins. */
static int64_t ip_begin(const uint8_t *frame, uint32_t captured, uint32_t link) {
    switch (link) {
    case LINK_ETHERNET: return behind_type(frame, captured, 12, 14);
    case LINK_SLL: return behind_type(frame, captured, 14, 16);
    case LINK_SLL2: return behind_type(frame, captured, 0, 20);
    case LINK_NULL:
    case LINK_LOOP: return captured > 4 ? 4 : NO_IP;
    case LINK_RAW:
    case LINK_RAW_12:
    case LINK_RAW_14:
    case LINK_IPV4:
    case LINK_IPV6: return captured > 0 ? 0 : NO_IP;
    default: return NO_LINK;
    }
}

static void odd(struct found *found, enum odd_kind kind, const struct datagram *one, uint32_t ports) {
    found->odds[found->odd_count++] = (struct odd){
        .row = one->row, .begin = one->begin, .end = one->end, .hosts = one->hosts, .ports = ports, .kind = kind};
}

/* First bytes of messages: agent/trace/streams/signalling.py. */
static bool is_sip(const uint8_t *payload, uint32_t captured) {
    static const char begins[][5] = {"INVI", "ACK ", "PRAC", "UPDA", "INFO", "SIP/", "BYE ", "CANC",
                                     "NOTI", "REFE", "SUBS", "REGI", "OPTI", "MESS", "PUBL"};
    if (captured < 4) return false;
    for (unsigned n = 0; n < sizeof begins / sizeof *begins; n++)
        if (as_loaded(payload) == as_loaded((const uint8_t *)begins[n])) return true;
    return false;
}

/* 1.0, 1.2 and 1.3: RFC 6347 §4.1. */
static bool is_handshake(const uint8_t *payload, uint32_t captured) {
    if (captured < DTLS_HEADER || payload[0] != DTLS_HANDSHAKE) return false;
    uint16_t version = big16(payload + 1);
    return version == 0xFEFF || version == 0xFEFD || version == 0xFEFC;
}

static bool may_be_rtp(const uint8_t *payload, uint32_t captured) {
    return captured >= RTP_HEADER_BYTES && !rtp_is_rtcp(payload);
}

/* Leaves of a packet its payload; false where it is no RTP. */
static bool trim(struct packet *packet, const uint8_t *behind, uint8_t first) {
    struct rtp_payload payload = {.captured = packet->captured, .wire = packet->wire};
    if (!rtp_trim(behind, first, &payload)) return false;
    packet->offset += payload.offset;
    packet->captured = payload.captured;
    packet->wire = payload.wire;
    return true;
}

/* An RTP header with `size` bytes from it on; `base` is added to offsets. */
static void rtp(const uint8_t *header, uint32_t size, uint32_t wire, int64_t offset, uint32_t ports,
                const struct datagram *one, struct found *found) {
    struct packet *packet = &found->packets[found->packet_count]; /* in its place: a copy takes as long again */
    *packet = (struct packet){
        .time_ns = one->time_ns,
        .offset = offset + RTP_HEADER_BYTES,
        .hosts = one->hosts,
        .rest = (uint64_t)as_loaded(header + 8) << 32 | ports,
        .row = (int32_t)one->row,
        .captured = size - RTP_HEADER_BYTES,
        .wire = wire - RTP_HEADER_BYTES,
        .timestamp = big32(header + 4),
        .number = big16(header + 2),
        .payload_type = header[1] & 127,
        .event = header[1] >> 7,
    };
    if (header[0] & 0x3F && !trim(packet, header + RTP_HEADER_BYTES, header[0])) return;
    if (packet->captured >= 4) packet->head = big32(header + (packet->offset - offset));
    found->packet_count++;
}

/* A UDP datagram (8 bytes at least) of data; `base` is added to where its payload is. */
static void udp(const uint8_t *data, int64_t base, struct datagram *one, struct found *found) {
    const uint8_t *header = data + one->begin, *payload = header + UDP_HEADER;
    uint32_t length = big16(header + 4), ports = as_loaded(header);
    if (length < UDP_HEADER) {
        found->damaged_udp++;
        return;
    }
    int64_t there = one->end - one->begin - UDP_HEADER;
    uint32_t wire = length - UDP_HEADER, captured = there < wire ? (uint32_t)there : wire;
    one->begin += UDP_HEADER;
    one->end = one->begin + captured;
    if (captured < (wire < RTP_HEADER_BYTES ? wire : RTP_HEADER_BYTES)) found->cut++;
    if (captured == 0) return;
    if (payload[0] >> 6 == 2) {
        if (may_be_rtp(payload, captured) && big16(header) >= MIN_PORT && big16(header + 2) >= MIN_PORT)
            rtp(payload, captured, wire, base + one->begin, ports, one, found);
    } else if (is_sip(payload, captured)) {
        odd(found, ODD_SIP, one, ports);
    } else if (is_handshake(payload, captured)) {
        odd(found, ODD_DTLS, one, ports);
    }
}

static bool is_plain_udp4(const uint8_t *ip, int64_t captured) {
    return captured >= IPV4_HEADER + UDP_HEADER && ip[0] == 0x45 && ip[9] == UDP && !(big16(ip + 6) & 0x3FFF) &&
           ip[12] != NUMBERED && ip[16] != NUMBERED;
}

static bool is_plain_udp6(const uint8_t *ip, int64_t captured) {
    return captured >= IPV6_HEADER + UDP_HEADER && ip[0] >> 4 == 6 && ip[6] == UDP;
}

/* Records to packets, and what is odd among them. */
void trace_packets(const uint8_t *data, int64_t size, const struct record *records, int64_t count,
                   struct found *found) {
    for (int64_t row = 0; row < count; row++) {
        const struct record *record = &records[row];
        if (record->offset < 0 || record->offset > size || record->captured > size - record->offset) continue;
        struct datagram one = {.row = row, .time_ns = record->time_ns, .end = record->offset + record->captured};
        int64_t skip = ip_begin(data + record->offset, record->captured, record->link);
        one.begin = record->offset + skip;
        if (skip < 0) {
            if (skip == NO_LINK) odd(found, ODD_LINK, &one, record->link);
            continue;
        }
        const uint8_t *ip = data + one.begin;
        if (is_plain_udp4(ip, one.end - one.begin)) {
            one.hosts = as_loaded(ip + 12) | (uint64_t)as_loaded(ip + 16) << 32;
            one.begin += IPV4_HEADER;
            udp(data, 0, &one, found);
        } else {
            odd(found, is_plain_udp6(ip, one.end - one.begin) ? ODD_UDP6 : ODD_IP, &one, 0);
        }
    }
}

/* The same for UDP datagrams whose hosts are known, of the records' rows; `base` is added to where payloads are. */
void trace_datagrams(const uint8_t *data, int64_t size, int64_t base, const struct record *records,
                     const struct odd *datagrams, int64_t count, struct found *found) {
    for (int64_t n = 0; n < count; n++) {
        const struct odd *given = &datagrams[n];
        if (given->begin < 0 || given->end > size || given->end - given->begin < UDP_HEADER) continue;
        struct datagram one = {.row = given->row,
                               .time_ns = records[given->row].time_ns,
                               .begin = given->begin,
                               .end = given->end,
                               .hosts = given->hosts};
        udp(data, base, &one, found);
    }
}
