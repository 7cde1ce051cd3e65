/* IP (RFC 791, 8200), UDP, RTP (RFC 3550 §5.1): where each record's RTP is, and what it says. */
#include "header.h"
#include "layers.h"

#define LINK_ETHERNET 1
#define ETHERNET_HEADER 14
#define IPV4_HEADER 20
#define IPV6_HEADER 40
#define UDP_HEADER 8
#define TCP_HEADER 20
#define NUMBERED 255 /* first byte of IPv4 addresses that agent/trace/wire/addresses.py numbers as it does IPv6 */
#define MIN_PORT 1024 /* lower ones are DNS and its like */
#define MAX_LAYERS 32 /* headers of one packet */
#define MAX_EXTENSIONS 8 /* of an IPv6 packet */
#define DTLS_HANDSHAKE 22
#define DTLS_HEADER 13
#define STUN_HEADER 20
#define STUN_COOKIE 0x2112A442
#define CHANNEL_HEADER 4
#define VXLAN_GROUP 0x88 /* first byte, where it has a group policy: what RTP may begin with */

static void odd(struct found *found, enum odd_kind kind, const struct datagram *one, uint32_t ports) {
    found->odds[found->odd_count++] = (struct odd){
        .row = one->row, .begin = one->begin, .end = one->end, .hosts = one->hosts, .ports = ports, .kind = kind};
}

static void unread(struct found *found, enum unread_layer layer, uint32_t number) {
    int32_t n = 0;
    while (n < found->unread_count && (found->unread[n].layer != layer || found->unread[n].number != number)) n++;
    if (n == MAX_UNREAD) n = MAX_UNREAD - 1; /* the last one is all others */
    if (n == found->unread_count)
        found->unread[found->unread_count++] = (struct unread){
            .layer = n < MAX_UNREAD - 1 ? layer : UNREAD_OTHER, .number = n < MAX_UNREAD - 1 ? number : 0};
    found->unread[n].count++;
}

/* First bytes of messages: agent/trace/streams/signalling.py. */
static bool is_sip(const uint8_t *payload, int64_t captured) {
    static const char begins[][5] = {"INVI", "ACK ", "PRAC", "UPDA", "INFO", "SIP/", "BYE ", "CANC",
                                     "NOTI", "REFE", "SUBS", "REGI", "OPTI", "MESS", "PUBL"};
    if (captured < 4) return false;
    for (unsigned n = 0; n < sizeof begins / sizeof *begins; n++)
        if (as_loaded(payload) == as_loaded((const uint8_t *)begins[n])) return true;
    return false;
}

/* 1.0, 1.2 and 1.3: RFC 6347 §4.1. */
static bool is_handshake(const uint8_t *payload, int64_t captured) {
    if (captured < DTLS_HEADER || payload[0] != DTLS_HANDSHAKE) return false;
    uint16_t version = big16(payload + 1);
    return version == 0xFEFF || version == 0xFEFD || version == 0xFEFC;
}

/* TURN's messages that bind a channel to a peer, or carry a datagram: RFC 8656 §18. */
static bool is_relayed(const uint8_t *payload, int64_t captured) {
    if (captured < STUN_HEADER || big32(payload + 4) != STUN_COOKIE) return false;
    uint16_t type = big16(payload);
    return type == 0x0009 || type == 0x0016 || type == 0x0017;
}

/* RFC 8656 §12.4: a channel's number, the length, and what may be RTP or DTLS. */
static bool is_channel(const uint8_t *payload, int64_t captured, int64_t wire) {
    if (captured <= CHANNEL_HEADER || payload[0] >> 4 != 4) return false;
    int64_t behind = wire - CHANNEL_HEADER - big16(payload + 2);
    return behind >= 0 && behind < 4 && (payload[4] >> 6 == 2 || payload[4] == DTLS_HANDSHAKE);
}

static bool may_be_rtp(const uint8_t *payload, int64_t captured) {
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
    if (header[0] & 0x3F && !trim(packet, header + RTP_HEADER_BYTES, header[0])) {
        found->odd_rtp++;
        return;
    }
    if (packet->captured >= 4) packet->head = big32(header + (packet->offset - offset));
    found->packet_count++;
}

/* What is neither RTP nor RTCP: what stands before a message's start line is ignored (RFC 3261 §7.5). */
static enum layer message(const uint8_t *data, struct datagram *one, uint32_t wire, uint32_t ports,
                          struct found *found) {
    int64_t behind = one->begin + wire;
    for (int n = 0; n < 8 && one->end - one->begin > 4 && big16(data + one->begin) == 0x0D0A; n++) one->begin += 2;
    const uint8_t *payload = data + one->begin;
    int64_t captured = one->end - one->begin;
    if (is_sip(payload, captured)) {
        if (one->end < behind) found->cut_sip++;
        odd(found, ODD_SIP, one, ports);
    } else if (is_handshake(payload, captured)) {
        odd(found, ODD_DTLS, one, ports);
    } else if (is_relayed(payload, captured)) {
        odd(found, ODD_STUN, one, ports);
    } else if (is_channel(payload, captured, behind - one->begin)) {
        int64_t end = one->begin + CHANNEL_HEADER + big16(payload + 2);
        one->begin += CHANNEL_HEADER;
        if (end < one->end) one->end = end;
        odd(found, ODD_CHANNEL, one, ports);
    } else if (captured >= 6 && as_loaded(payload) == as_loaded((const uint8_t *)"HEP3")) {
        odd(found, ODD_HEP, one, ports);
    } else {
        return tunnel_udp(data, (uint16_t)(ports << 8 | (ports >> 8 & 0xFF)),
                          (uint16_t)(ports >> 24 | (ports >> 8 & 0xFF00)), one);
    }
    return DONE;
}

/* A UDP payload, a byte at least; `base` is added to where it is. */
static enum layer payload(const uint8_t *data, int64_t base, struct datagram *one, uint32_t wire, uint32_t ports,
                          struct found *found) {
    const uint8_t *at = data + one->begin;
    if (at[0] >> 6 != 2) return message(data, one, wire, ports, found);
    if (may_be_rtp(at, one->end - one->begin))
        rtp(at, (uint32_t)(one->end - one->begin), wire, base + one->begin, ports, one, found);
    return DONE;
}

/* A UDP datagram (8 bytes at least) of data; `base` is added to where its payload is. */
static enum layer udp(const uint8_t *data, int64_t base, struct datagram *one, struct found *found) {
    const uint8_t *header = data + one->begin;
    uint32_t length = big16(header + 4), ports = as_loaded(header);
    if (length < UDP_HEADER) {
        found->damaged_udp++;
        return DONE;
    }
    int64_t there = one->end - one->begin - UDP_HEADER;
    uint32_t wire = length - UDP_HEADER, captured = there < wire ? (uint32_t)there : wire;
    one->begin += UDP_HEADER;
    one->end = one->begin + captured;
    if (captured < (wire < RTP_HEADER_BYTES ? wire : RTP_HEADER_BYTES)) found->cut++;
    if (captured == 0) return DONE;
    const uint8_t *first = data + one->begin;
    if (first[0] >> 6 == 2) {
        if (big16(header) < MIN_PORT || big16(header + 2) < MIN_PORT) return DONE;
        if (first[0] == VXLAN_GROUP && tunnel_is_vxlan(big16(header + 2)))
            return tunnel_udp(data, big16(header), big16(header + 2), one);
    }
    return payload(data, base, one, wire, ports, found);
}

/* What of a TCP segment matters: data, or that a connection begins. */
static enum layer tcp(const uint8_t *data, struct datagram *one, struct found *found) {
    const uint8_t *header = data + one->begin;
    if (one->end - one->begin < TCP_HEADER) return DONE;
    uint32_t size = 4u * (header[12] >> 4);
    bool begins = header[13] & 2;
    if (size >= TCP_HEADER && (one->wire > size || (begins && one->wire == size))) odd(found, ODD_TCP, one, one->wire);
    return DONE;
}

static bool is_plain_udp4(const uint8_t *ip, int64_t captured) {
    return captured >= IPV4_HEADER + UDP_HEADER && ip[0] == 0x45 && ip[9] == PROTOCOL_UDP && !(big16(ip + 6) & 0x3FFF) &&
           ip[12] != NUMBERED && ip[16] != NUMBERED;
}

static bool is_plain_udp6(const uint8_t *ip, int64_t captured) {
    return captured >= IPV6_HEADER + UDP_HEADER && ip[0] >> 4 == 6 && ip[6] == PROTOCOL_UDP;
}

static enum layer plain_udp4(const uint8_t *ip, struct datagram *one) {
    one->hosts = as_loaded(ip + 12) | (uint64_t)as_loaded(ip + 16) << 32;
    one->begin += IPV4_HEADER;
    return UDP_DATAGRAM;
}

/* What agent/trace/wire/ip.py has to look at. */
static enum layer aside(enum odd_kind kind, const struct datagram *one, struct found *found) {
    odd(found, kind, one, 0);
    return DONE;
}

static enum layer ip4(const uint8_t *ip, struct datagram *one, struct found *found) {
    int64_t there = one->end - one->begin;
    if (is_plain_udp4(ip, there)) return plain_udp4(ip, one);
    if (there < IPV4_HEADER) return aside(ODD_IP, one, found);
    uint32_t header = 4u * (ip[0] & 15), total = big16(ip + 2);
    if (header < IPV4_HEADER || there < header || (total && total < header) || big16(ip + 6) & 0x3FFF ||
        ip[12] == NUMBERED || ip[16] == NUMBERED)
        return aside(ODD_IP, one, found);
    if (total && total < there) one->end = one->begin + total;
    one->wire = (total ? total : (uint32_t)there) - header; /* 0: segmentation was left to the network card */
    one->hosts = as_loaded(ip + 12) | (uint64_t)as_loaded(ip + 16) << 32;
    one->number = ip[9];
    one->begin += header;
    return PROTOCOL;
}

static bool is_extension(uint8_t kind) {
    return kind == 0 || kind == 43 || kind == 60 || kind == 135 || kind == 139 || kind == 140;
}

/* Tunnels in IPv6; its UDP and TCP wait for numbers of its addresses. */
static enum layer ip6(const uint8_t *ip, struct datagram *one, struct found *found) {
    int64_t there = one->end - one->begin, at = IPV6_HEADER;
    if (is_plain_udp6(ip, there)) return aside(ODD_UDP6, one, found);
    if (there < IPV6_HEADER) return aside(ODD_IP, one, found);
    uint8_t following = ip[6];
    for (int n = 0; n < MAX_EXTENSIONS && is_extension(following); n++) {
        if (at + 8 > there) return aside(ODD_IP, one, found);
        following = ip[at];
        at += 8 * (ip[at + 1] + 1);
    }
    bool handed = following == PROTOCOL_UDP || following == PROTOCOL_TCP || following == PROTOCOL_AUTHENTICATION;
    if (handed || following == 44 || at > there) return aside(ODD_IP, one, found);
    uint32_t length = big16(ip + 4);
    if (length && IPV6_HEADER + (int64_t)length < there) one->end = one->begin + IPV6_HEADER + length;
    if (one->begin + at > one->end) return aside(ODD_IP, one, found);
    one->begin += at;
    one->number = following;
    return PROTOCOL;
}

static enum layer ip(const uint8_t *data, struct datagram *one, struct found *found) {
    if (one->begin >= one->end) return CUT;
    const uint8_t *at = data + one->begin;
    if (at[0] >> 4 == 4) return ip4(at, one, found);
    return at[0] >> 4 == 6 ? ip6(at, one, found) : aside(ODD_IP, one, found);
}

static enum layer protocol(const uint8_t *data, int64_t base, struct datagram *one, struct found *found) {
    if (one->number == PROTOCOL_TCP) return tcp(data, one, found);
    if (one->number != PROTOCOL_UDP) return tunnel_protocol(data, one);
    if (one->end - one->begin >= UDP_HEADER) return udp(data, base, one, found);
    found->cut++;
    return DONE;
}

/* From header to header, to what there is for us: one packet or odd, or none. */
static void walk(const uint8_t *data, int64_t base, enum layer next, struct datagram *one, struct found *found) {
    for (int layers = 0; next != DONE; layers++) {
        if (layers == MAX_LAYERS) {
            unread(found, UNREAD_DEPTH, 0);
            return;
        }
        switch (next) {
        case UNREAD: unread(found, one->unread, one->number); return;
        case CUT: found->cut_tunnels++; return;
        case IP: next = ip(data, one, found); break;
        case PROTOCOL: next = protocol(data, base, one, found); break;
        case UDP_DATAGRAM: next = udp(data, base, one, found); break;
        default: next = tunnel_step(data, next, one);
        }
    }
}

/* Records to packets, and what is odd among them. */
void trace_packets(const uint8_t *data, int64_t size, const struct record *records, int64_t count,
                   struct found *found) {
    for (int64_t row = 0; row < count; row++) {
        const struct record *record = &records[row];
        if (record->offset < 0 || record->offset > size || record->captured > size - record->offset) continue;
        struct datagram one = {.row = row, .time_ns = record->time_ns, .begin = record->offset,
                               .end = record->offset + record->captured};
        const uint8_t *frame = data + one.begin;
        enum layer next;
        if (record->link == LINK_ETHERNET && record->captured > ETHERNET_HEADER && big16(frame + 12) == 0x0800 &&
            is_plain_udp4(frame + ETHERNET_HEADER, record->captured - ETHERNET_HEADER)) { /* nearly all, mostly */
            one.begin += ETHERNET_HEADER;
            plain_udp4(frame + ETHERNET_HEADER, &one);
            next = udp(data, 0, &one, found);
        } else {
            next = record->captured || record->wire ? tunnel_link(data, record->link, &one) : DONE;
        }
        if (next != DONE) walk(data, 0, next, &one, found);
    }
}

/* The same for parts of the records' packets that were put aside (struct odd, enum given_kind), and are read by now;
 * `base` is added to where payloads are. */
void trace_datagrams(const uint8_t *data, int64_t size, int64_t base, const struct record *records,
                     const struct odd *datagrams, int64_t count, struct found *found) {
    for (int64_t n = 0; n < count; n++) {
        const struct odd *given = &datagrams[n];
        if (given->begin < CHANNEL_HEADER * (given->kind == GIVEN_CHANNEL) || given->end > size ||
            given->begin >= given->end)
            continue;
        uint32_t there = (uint32_t)(given->end - given->begin);
        struct datagram one = {.row = given->row,
                               .time_ns = records[given->row].time_ns,
                               .begin = given->begin,
                               .end = given->end,
                               .hosts = given->hosts,
                               .wire = there,
                               .number = given->ports};
        enum layer next = PROTOCOL;
        if (given->kind != GIVEN_PROTOCOL) {
            uint32_t wire = given->kind == GIVEN_CHANNEL ? big16(data + given->begin - 2) : there;
            next = payload(data, base, &one, wire < there ? there : wire, given->ports, found);
        }
        walk(data, base, next, &one, found);
    }
}
