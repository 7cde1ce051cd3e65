/* Headers that carry IP packets, or frames that do. Each function takes one off, if it is whole, and says what is behind.
 * Every length is held against what there is; a header takes at least a byte or ends the walk, whose steps are counted. */
#include "layers.h"

enum link { LINK_NULL = 0, LINK_ETHERNET = 1, LINK_PPP = 9, LINK_RAW_12 = 12, LINK_RAW_14 = 14, LINK_PPP_HDLC = 50,
            LINK_PPP_ETHER = 51, LINK_RAW = 101, LINK_C_HDLC = 104, LINK_LOOP = 108, LINK_SLL = 113, LINK_PPP_PPPD = 166,
            LINK_PPP_DIRECTION = 204, LINK_C_HDLC_DIRECTION = 205, LINK_MPLS = 219, LINK_IPV4 = 228, LINK_IPV6 = 229,
            LINK_PKTAP = 258, LINK_SLL2 = 276 };
enum type { TYPE_IPV4 = 0x0800, TYPE_ARP = 0x0806, TYPE_VLAN = 0x8100, TYPE_IPV6 = 0x86DD, TYPE_PPP = 0x880B,
            TYPE_MPLS = 0x8847, TYPE_MPLS_UPSTREAM = 0x8848, TYPE_PPPOE = 0x8864, TYPE_SERVICE_VLAN = 0x88A8,
            TYPE_BRIDGED = 0x6558, TYPE_ERSPAN = 0x88BE, TYPE_ERSPAN_3 = 0x22EB, TYPE_NSH = 0x894F };
enum { MAX_LLC_LENGTH = 1500, MAX_LABELS = 16, MAX_ROUTES = 8, MAX_GTP_EXTENSIONS = 8, MAX_TZSP_TAGS = 64 };
enum { PORT_L2TP = 1701, PORT_GTP = 2152, PORT_TEREDO = 3544, PORT_ESP = 4500, PORT_GRE = 4754, PORT_VXLAN = 4789,
       PORT_VXLAN_GPE = 4790, PORT_GENEVE = 6081, PORT_MPLS = 6635, PORT_VXLAN_LINUX = 8472, PORT_HEP = 9060,
       PORT_TZSP = 37008 };

static bool has(const struct datagram *one, int64_t bytes) { return one->end - one->begin >= bytes; }

/* Takes a header off. */
static enum layer behind(struct datagram *one, int64_t bytes, enum layer next) {
    if (!has(one, bytes)) return CUT;
    one->begin += bytes;
    return next;
}

static enum layer behind_type(struct datagram *one, int64_t bytes, uint32_t type) {
    one->number = type;
    return behind(one, bytes, TYPE);
}

static enum layer unread(struct datagram *one, enum unread_layer layer, uint32_t number) {
    one->unread = layer;
    one->number = number;
    return UNREAD;
}

/* What a length in a header says: link layers pad short frames. */
static void ends(struct datagram *one, int64_t end) {
    if (end < one->end) one->end = end;
}

static bool is_tag(uint32_t type) {
    return type == TYPE_VLAN || type == TYPE_SERVICE_VLAN || type == 0x9100 || type == 0x9200 || type == 0x9300;
}

/* Whether a frame that nothing announces looks like Ethernet with IP, or with what may carry it. */
static bool is_ethernet(const uint8_t *at, int64_t there) {
    if (there < 15) return false;
    uint32_t type = big16(at + 12);
    if (type == TYPE_IPV4) return at[14] >> 4 == 4;
    if (type == TYPE_IPV6) return at[14] >> 4 == 6;
    return is_tag(type) || type == TYPE_ARP || type == TYPE_MPLS || type == TYPE_PPPOE;
}

static bool has_checksum(const uint8_t *ip, int64_t there) {
    int64_t size = 4 * (ip[0] & 15);
    uint32_t sum = 0;
    if (size < 20 || size > there) return false;
    for (int64_t at = 0; at < size; at += 2) sum += big16(ip + at);
    return (sum & 0xFFFF) + (sum >> 16) == 0xFFFF;
}

/* What of both it is (a byte at least), where nothing says so; UNREAD: neither. */
static enum layer ip_or_ethernet(const uint8_t *at, int64_t there) {
    bool ethernet = is_ethernet(at, there);
    if (at[0] >> 4 == 4) return ethernet && !has_checksum(at, there) ? ETHERNET : IP;
    if (at[0] >> 4 == 6) return ethernet && big16(at + 4) + 40 != there ? ETHERNET : IP;
    return ethernet ? ETHERNET : UNREAD;
}

/* Types that carry no calls, and are in many captures: ARP and its reverse, Wake-on-LAN, slow protocols, PPPoE's discovery,
 * 802.1X, LLDP, 802.1ag, loops, CDP. */
static bool is_ordinary(uint32_t type) {
    return type == TYPE_ARP || type == 0x8035 || type == 0x0842 || type == 0x8809 || type == 0x8863 || type == 0x888E ||
           type == 0x88CC || type == 0x8902 || type == 0x9000 || type == 0x2000;
}

/* RFC 3032. Behind the last label nothing says what it is: IP by its version, else a pseudowire, with a control word
 * (RFC 4385: begins with 0; with 1 it is no data) or without one. */
static enum layer mpls(const uint8_t *data, struct datagram *one) {
    for (int labels = 0;; labels++) {
        if (labels == MAX_LABELS) return unread(one, UNREAD_DEPTH, 0);
        if (!has(one, 4)) return CUT;
        one->begin += 4;
        if (data[one->begin - 2] & 1) break;
    }
    if (!has(one, 1)) return CUT;
    const uint8_t *at = data + one->begin;
    int64_t there = one->end - one->begin;
    if (at[0] >> 4 == 0 && there > 4 && is_ethernet(at + 4, there - 4)) return behind(one, 4, ETHERNET);
    enum layer next = ip_or_ethernet(at, there);
    return next == UNREAD && at[0] >> 4 != 1 ? unread(one, UNREAD_MPLS, 0) : next == UNREAD ? DONE : next;
}

/* RFC 1661, 1662: address and control, and half of the protocol, may be left out. */
static enum layer ppp(const uint8_t *data, struct datagram *one) {
    if (has(one, 2) && data[one->begin] == 0xFF && data[one->begin + 1] == 3) one->begin += 2;
    if (!has(one, 1)) return CUT;
    bool brief = data[one->begin] & 1;
    if (!has(one, brief ? 1 : 2)) return CUT;
    uint32_t protocol = brief ? data[one->begin] : big16(data + one->begin);
    one->begin += brief ? 1 : 2;
    switch (protocol) {
    case 0x0021: case 0x0057: return IP;
    case 0x0281: case 0x0283: return MPLS;
    case 0x0031: return behind(one, 2, ETHERNET); /* RFC 3518, bridged */
    default: return protocol >= 0x4000 ? DONE : unread(one, UNREAD_PPP, protocol); /* from there on control: RFC 1661 §2 */
    }
}

/* RFC 2516 §4 */
static enum layer pppoe(const uint8_t *data, struct datagram *one) {
    if (!has(one, 6)) return CUT;
    const uint8_t *at = data + one->begin;
    if (at[0] != 0x11 || at[1] != 0) return DONE;
    ends(one, one->begin + 6 + big16(at + 4));
    return behind(one, 6, PPP);
}

/* IEEE 802.2, and SNAP (RFC 1042). Other access points carry no IP. */
static enum layer llc(const uint8_t *data, struct datagram *one) {
    if (!has(one, 3)) return CUT;
    const uint8_t *at = data + one->begin;
    if (at[0] == 6 && at[1] == 6) return behind(one, 3, IP);
    if (at[0] != 0xAA || at[1] != 0xAA) return DONE;
    if (!has(one, 8)) return CUT;
    uint32_t organisation = (uint32_t)at[3] << 16 | big16(at + 4), type = big16(at + 6);
    if (organisation == 0 || organisation == 0xF8) return behind_type(one, 8, type);
    if (organisation == 0x0080C2 && (type == 1 || type == 7)) return behind(one, 8, ETHERNET); /* RFC 2684, bridged */
    return DONE;
}

/* RFC 8300 §2 */
static enum layer nsh(const uint8_t *data, struct datagram *one) {
    if (!has(one, 8)) return CUT;
    const uint8_t *at = data + one->begin;
    int64_t size = 4 * (at[1] & 0x3F);
    switch (size < 8 ? 0 : at[3]) {
    case 1: case 2: return behind(one, size, IP);
    case 3: return behind(one, size, ETHERNET);
    case 5: return behind(one, size, MPLS);
    default: return unread(one, UNREAD_NSH, at[3]);
    }
}

/* Behind an EtherType. */
static enum layer by_type(const uint8_t *data, struct datagram *one) {
    uint32_t type = one->number;
    if (type <= MAX_LLC_LENGTH) return LLC;
    if (is_tag(type)) return has(one, 4) ? behind_type(one, 4, big16(data + one->begin + 2)) : CUT;
    switch (type) {
    case TYPE_IPV4: case TYPE_IPV6: return IP;
    case TYPE_MPLS: case TYPE_MPLS_UPSTREAM: return MPLS;
    case TYPE_PPPOE: return PPPOE;
    case TYPE_PPP: return PPP;
    case TYPE_BRIDGED: return ETHERNET;
    case TYPE_NSH: return nsh(data, one);
    case 0x8870: return LLC; /* of a longer frame */
    case 0x88E7: return behind(one, 4, ETHERNET); /* 802.1ah */
    case 0x8926: case 0xF1C1: /* VN-Tag, 802.1CB */
        return has(one, 6) ? behind_type(one, 6, big16(data + one->begin + 4)) : CUT;
    case 0x893F: case 0x8909: /* 802.1BR, TrustSec */
        return has(one, 8) ? behind_type(one, 8, big16(data + one->begin + 6)) : CUT;
    default: return is_ordinary(type) ? DONE : unread(one, UNREAD_TYPE, type);
    }
}

static enum layer ethernet(const uint8_t *data, struct datagram *one) {
    return has(one, 14) ? behind_type(one, 14, big16(data + one->begin + 12)) : CUT;
}

/* Link layers, by LINKTYPE_. */
enum layer tunnel_link(const uint8_t *data, uint32_t link, struct datagram *one) {
    const uint8_t *at = data + one->begin;
    switch (link) {
    case LINK_ETHERNET: return ETHERNET;
    case LINK_SLL:
        if (!has(one, 16)) return CUT;
        return big16(at + 14) <= MAX_LLC_LENGTH && big16(at + 14) != 4 ? DONE : behind_type(one, 16, big16(at + 14));
    case LINK_SLL2:
        if (!has(one, 20)) return CUT;
        return big16(at) <= MAX_LLC_LENGTH && big16(at) != 4 ? DONE : behind_type(one, 20, big16(at));
    case LINK_NULL: case LINK_LOOP: return behind(one, 4, IP);
    case LINK_RAW: case LINK_RAW_12: case LINK_RAW_14: case LINK_IPV4: case LINK_IPV6: return IP;
    case LINK_PPP: case LINK_PPP_HDLC: return PPP;
    case LINK_PPP_PPPD: case LINK_PPP_DIRECTION: return behind(one, 1, PPP);
    case LINK_PPP_ETHER: return PPPOE;
    case LINK_C_HDLC_DIRECTION: return has(one, 5) ? behind_type(one, 5, big16(at + 3)) : CUT;
    case LINK_C_HDLC: return has(one, 4) ? behind_type(one, 4, big16(at + 2)) : CUT;
    case LINK_MPLS: return MPLS;
    case LINK_PKTAP: {
        if (!has(one, 12)) return CUT;
        uint32_t size = as_loaded(at), inner = as_loaded(at + 8);
        if (size < 12 || !has(one, size) || inner == LINK_PKTAP) return CUT;
        one->begin += size;
        return tunnel_link(data, inner, one);
    }
    default: return unread(one, UNREAD_LINK, link);
    }
}

/* draft-foschiano-erspan: type I has no header, and no sequence number before it; II has 8 bytes, III 12 or 20. */
static enum layer erspan(const uint8_t *data, bool numbered, struct datagram *one) {
    return numbered && has(one, 8) && data[one->begin] >> 4 == 1 ? behind(one, 8, ETHERNET) : ETHERNET;
}

static enum layer erspan_3(const uint8_t *data, struct datagram *one) {
    if (!has(one, 12)) return CUT;
    const uint8_t *at = data + one->begin;
    int64_t size = at[11] & 1 ? 20 : 12;
    return behind(one, size, (at[10] >> 2 & 31) == 2 ? IP : ETHERNET);
}

/* RFC 1701's source routes: address family, offset, length, and as many bytes; a length of 0 ends them. */
static bool routes(const uint8_t *data, struct datagram *one) {
    for (int n = 0; n < MAX_ROUTES && has(one, 4); n++) {
        uint32_t size = data[one->begin + 3];
        one->begin += 4;
        if (size == 0) return true;
        if (!has(one, size)) return false;
        one->begin += size;
    }
    return false;
}

/* RFC 2637 §4.1 (PPTP), and EoIP, which is like it. */
static enum layer enhanced_gre(const uint8_t *data, uint32_t flags, uint32_t protocol, struct datagram *one) {
    if (!has(one, 8)) return CUT;
    if (protocol == 0x6400) return behind(one, 8, ETHERNET);
    if (protocol != TYPE_PPP) return unread(one, UNREAD_GRE, protocol);
    int64_t size = 8 + (flags & 0x1000 ? 4 : 0) + (flags & 0x0080 ? 4 : 0);
    uint32_t length = big16(data + one->begin + 4);
    if (length == 0) return DONE; /* an acknowledgement */
    ends(one, one->begin + size + length);
    return behind(one, size, PPP);
}

/* RFC 2784, 2890, 1701; NVGRE (RFC 7637) is one with a key. */
static enum layer gre(const uint8_t *data, struct datagram *one) {
    if (!has(one, 4)) return CUT;
    uint32_t flags = big16(data + one->begin), protocol = big16(data + one->begin + 2);
    if ((flags & 7) == 1) return enhanced_gre(data, flags, protocol, one);
    if (flags & 7) return unread(one, UNREAD_GRE, protocol);
    int64_t size = 4 + (flags & 0xC000 ? 4 : 0) + (flags & 0x2000 ? 4 : 0) + (flags & 0x1000 ? 4 : 0);
    if (!has(one, size)) return CUT;
    one->begin += size;
    if (flags & 0x4000 && !routes(data, one)) return CUT;
    switch (protocol) {
    case 0: return DONE; /* a keep-alive */
    case TYPE_ERSPAN: return erspan(data, flags & 0x1000, one);
    case TYPE_ERSPAN_3: return erspan_3(data, one);
    case 0x883E: /* WCCP, whose second version has a header of 4 bytes */
        if (!has(one, 5)) return CUT;
        return data[one->begin] >> 4 == 4 ? IP : behind(one, 4, IP);
    default: return protocol <= MAX_LLC_LENGTH ? unread(one, UNREAD_GRE, protocol) : behind_type(one, 0, protocol);
    }
}

/* What IP carries, but UDP and TCP: IANA protocol-numbers. Of those that carry no calls, and are in many captures, nothing
 * is said: ICMP, IGMP, EIGRP, OSPF, PIM, VRRP. */
enum layer tunnel_protocol(const uint8_t *data, struct datagram *one) {
    switch (one->number) {
    case 4: case 41: return IP; /* RFC 2003, 4213 */
    case 47: return gre(data, one);
    case PROTOCOL_AUTHENTICATION: { /* RFC 4302 */
        if (!has(one, 12)) return CUT;
        uint32_t size = 4u * (data[one->begin + 1] + 2u);
        one->number = data[one->begin];
        if (one->wire < size) return CUT;
        one->wire -= size;
        return behind(one, size, PROTOCOL);
    }
    case 97: return behind(one, 2, ETHERNET); /* EtherIP: RFC 3378 */
    case 137: return MPLS; /* RFC 4023 */
    case 143: return ETHERNET; /* RFC 8986 */
    case 1: case 2: case 58: case 59: case 88: case 89: case 103: case 112: return DONE;
    default: return unread(one, UNREAD_PROTOCOL, one->number);
    }
}

/* draft-ietf-nvo3-vxlan-gpe §3.2 */
static enum layer vxlan_gpe(const uint8_t *data, struct datagram *one) {
    if (!has(one, 8)) return CUT;
    const uint8_t *at = data + one->begin;
    if (!(at[0] & 4)) return behind(one, 8, ETHERNET);
    one->begin += 8;
    switch (at[3]) {
    case 1: case 2: return IP;
    case 3: return ETHERNET;
    case 4: return nsh(data, one);
    case 5: return MPLS;
    default: return unread(one, UNREAD_NSH, at[3]);
    }
}

/* RFC 8926 §3.4 */
static enum layer geneve(const uint8_t *data, struct datagram *one) {
    if (!has(one, 8)) return CUT;
    const uint8_t *at = data + one->begin;
    return at[0] >> 6 ? DONE : behind_type(one, 8 + 4 * (at[0] & 0x3F), big16(at + 2));
}

/* 3GPP TS 29.281 §5: a G-PDU, and its extension headers. */
static enum layer gtp(const uint8_t *data, struct datagram *one) {
    const uint8_t *at = data + one->begin;
    if (!has(one, 8) || (at[0] & 0xF0) != 0x30 || at[1] != 0xFF) return DONE;
    ends(one, one->begin + 8 + big16(at + 2));
    one->begin += 8;
    if (at[0] & 7) {
        if (!has(one, 4)) return CUT;
        one->begin += 4;
        uint8_t following = at[0] & 4 ? data[one->begin - 1] : 0;
        for (int n = 0; following; n++) {
            if (n == MAX_GTP_EXTENSIONS) return unread(one, UNREAD_DEPTH, 0);
            if (!has(one, 4)) return CUT;
            int64_t size = 4 * data[one->begin];
            if (size == 0 || !has(one, size)) return CUT;
            one->begin += size;
            following = data[one->begin - 1];
        }
    }
    if (!has(one, 1)) return CUT;
    enum layer next = ip_or_ethernet(data + one->begin, one->end - one->begin);
    return next == UNREAD ? unread(one, UNREAD_UDP, PORT_GTP) : next;
}

/* RFC 2661 §3.1: data messages; what carries frames without PPP (RFC 3931) has cookies that only its ends know. */
static enum layer l2tp(const uint8_t *data, struct datagram *one) {
    if (!has(one, 6)) return CUT;
    const uint8_t *at = data + one->begin;
    uint32_t flags = big16(at);
    if (flags & 0x8000) return DONE;
    if ((flags & 15) != 2) return (flags & 15) == 3 ? unread(one, UNREAD_UDP, PORT_L2TP) : DONE;
    int64_t size = 6 + (flags & 0x4000 ? 2 : 0) + (flags & 0x0800 ? 4 : 0);
    if (flags & 0x4000) ends(one, one->begin + big16(at + 2));
    if (flags & 0x0200) {
        if (!has(one, size + 2)) return CUT;
        size += 2 + big16(at + size);
    }
    return behind(one, size, PPP);
}

/* TaZmen Sniffer Protocol: tags up to an end; Ethernet is encapsulation 1. */
static enum layer tzsp(const uint8_t *data, struct datagram *one) {
    if (!has(one, 5) || data[one->begin] != 1) return DONE;
    uint32_t kind = big16(data + one->begin + 2);
    one->begin += 4;
    for (int tags = 0; tags < MAX_TZSP_TAGS && has(one, 1); tags++) {
        uint8_t tag = data[one->begin++];
        if (tag == 1) return kind == 1 ? ETHERNET : unread(one, UNREAD_UDP, PORT_TZSP);
        if (tag == 0) continue;
        if (!has(one, 1) || !has(one, 1 + data[one->begin])) return CUT;
        one->begin += 1 + data[one->begin];
    }
    return CUT;
}

bool tunnel_is_vxlan(uint16_t port) { return port == PORT_VXLAN || port == PORT_VXLAN_LINUX; }

/* UDP payloads (a byte at least) that are tunnels by their port, and look like it. */
enum layer tunnel_udp(const uint8_t *data, uint16_t source, uint16_t destination, struct datagram *one) {
    const uint8_t *at = data + one->begin;
    if (tunnel_is_vxlan(destination)) return at[0] & 8 ? behind(one, 8, ETHERNET) : DONE; /* RFC 7348 §5 */
    if (destination == PORT_L2TP || source == PORT_L2TP) return l2tp(data, one);
    switch (destination) {
    case PORT_GTP: return gtp(data, one);
    case PORT_TEREDO: return at[0] >> 4 == 6 ? IP : DONE;
    case PORT_ESP: return has(one, 8) && as_loaded(at) ? unread(one, UNREAD_UDP, PORT_ESP) : DONE; /* RFC 3948 §2 */
    case PORT_GRE: return gre(data, one);
    case PORT_VXLAN_GPE: return vxlan_gpe(data, one);
    case PORT_GENEVE: return geneve(data, one);
    case PORT_MPLS: return MPLS;
    case PORT_HEP: return at[0] == 1 || at[0] == 2 ? unread(one, UNREAD_UDP, PORT_HEP) : DONE;
    case PORT_TZSP: return tzsp(data, one);
    default: return DONE;
    }
}

/* One header of a link layer. */
enum layer tunnel_step(const uint8_t *data, enum layer layer, struct datagram *one) {
    switch (layer) {
    case ETHERNET: return ethernet(data, one);
    case TYPE: return by_type(data, one);
    case LLC: return llc(data, one);
    case PPPOE: return pppoe(data, one);
    case PPP: return ppp(data, one);
    case MPLS: return mpls(data, one);
    default: return DONE;
    }
}
