/* Below SRTP: the packets of a media line as they are on the wire. The transport that SRTP stands on keeps its place, and
 * has some of its operations replaced by ours: what SRTP sends passes us after it, what comes before it. What SRTP made of
 * a packet is known when it returns: then it has called the adapter above (media.c), or has not.
 *
 * pjsua has SRTP around each transport, whether a call uses it or not. */
#include <linux/sockios.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>

#include "line.h"

#define MAX_WAITING 4096  /* datagrams: a flood shall not hold up the end of its call */
#define NOT_ASKED (-2)    /* SRTP is not in use */
#define NO_KEYS (-1)
#define AUTH_FAILED 7     /* srtp_err_status_t */
#define REPLAY_FAILED 9
#define REPLAY_OLD 10
#define COMPARED_BYTES 16 /* of a payload: none that is enciphered looks the same */

extern __thread int pjmedia_srtp_said; /* dev/pjsua2/patches: of the packet that this thread gave it last */

/* A packet while SRTP has it. */
struct passing {
    const struct line *line;
    const uint8_t *bytes;
    size_t length;
    struct tap_crossing packet;
    bool seen;
};

static _Thread_local struct passing *coming;
static _Thread_local struct passing going; /* what is given to SRTP to send, in the clear; line NULL: nothing */

struct line *tap_line_of_srtp(pjmedia_transport *srtp) {
    pjmedia_transport *below = pjmedia_transport_srtp_get_member(srtp);
    return ((struct below *)below->op)->line;
}

static struct below *of(pjmedia_transport *transport) { return (struct below *)transport->op; }

/* When the packet that was read last from this socket came to it, which may be long before an agent that is late reads
 * it; 0: not known. The first time it is asked, it is from then on that the kernel takes note. */
static int64_t arrival_ns(pj_sock_t socket) {
    struct timespec at;
    if (socket == PJ_INVALID_SOCKET || ioctl((int)socket, SIOCGSTAMPNS, &at) != 0) return 0;
    return at.tv_sec * INT64_C(1000000000) + at.tv_nsec;
}

/* --- what SRTP made of a packet --- */

static bool is_same(const struct tap_crossing *packet) {
    struct rtp_header header;
    if (packet->clear_bytes == packet->wire_bytes) return true;
    if (!tap_rtp(packet->clear, packet->clear_bytes, &header)) return false;
    const struct rtp_payload *payload = &header.payload;
    size_t compared = payload->captured < COMPARED_BYTES ? payload->captured : COMPARED_BYTES;
    return compared == COMPARED_BYTES &&
           memcmp(packet->wire + payload->offset, packet->clear + payload->offset, compared) == 0;
}

static void cross(const struct line *line, struct tap_crossing *packet) {
    if (packet->clear) packet->fate = is_same(packet) ? TAP_PLAIN : TAP_PASSED;
    tap_call_media(atomic_load(&line->call), &line->path, packet);
}

static enum tap_fate fate_of(int said) {
    if (said == NO_KEYS) return TAP_KEYLESS;
    if (said == AUTH_FAILED) return TAP_UNAUTHENTIC;
    if (said == REPLAY_FAILED || said == REPLAY_OLD) return TAP_REPLAYED;
    return said == 0 ? TAP_PASSED : TAP_FAILED;
}

/* --- what comes --- */

/* SRTP gives a packet to the adapter above it. */
void tap_below_passed(const struct line *line, const void *clear, pj_ssize_t length) {
    if (!coming || coming->line != line || length < 0) return;
    coming->seen = true;
    coming->packet.clear = clear;
    coming->packet.clear_bytes = (size_t)length;
    cross(line, &coming->packet);
}

/* SRTP gave it to nobody: it refused it, or nobody is there. */
static void dropped(struct passing *came) {
    if (pjmedia_srtp_said == NOT_ASKED) {
        came->packet.clear = came->packet.wire;
        came->packet.clear_bytes = came->packet.wire_bytes;
    }
    came->packet.fate = fate_of(pjmedia_srtp_said);
    cross(came->line, &came->packet);
}

static void pass_on(struct line *line, pjmedia_tp_cb_param *param) {
    void (*rtp)(pjmedia_tp_cb_param *) = line->below.rtp;
    param->user_data = line->below.user;
    if (rtp && param->user_data) rtp(param);
    param->user_data = line;
}

/* SRTP deciphers where the packet lies: what is kept of the wire is a copy. */
static void on_rtp(pjmedia_tp_cb_param *param) {
    struct line *line = param->user_data;
    if (!line) return;
    if (!atomic_load(&line->call) || param->size <= 0) { /* negative: an error of the socket */
        pass_on(line, param);
        return;
    }
    uint8_t copy[PJMEDIA_MAX_MRU];
    size_t length = (size_t)param->size < sizeof copy ? (size_t)param->size : sizeof copy;
    struct tap_address from = param->src_addr ? tap_address_of(param->src_addr) : (struct tap_address){0};
    struct passing mine = {.line = line,
                           .packet = {.remote = param->src_addr ? &from : NULL,
                                      .arrived_ns = arrival_ns(atomic_load(&line->rtp_socket)),
                                      .wire = memcpy(copy, param->pkt, length),
                                      .wire_bytes = length}};
    pjmedia_srtp_said = NOT_ASKED;
    coming = &mine;
    pass_on(line, param);
    coming = NULL;
    if (!mine.seen) dropped(&mine);
}

static void see_rtcp(const struct line *line, bool sent, const pj_sockaddr *to, const void *packet, size_t length) {
    struct tap_call *call = atomic_load(&line->call);
    struct tap_address remote = to ? tap_address_of(to) : (struct tap_address){0};
    struct tap_crossing seen = {
        .sent = sent, .rtcp = true, .remote = to ? &remote : NULL, .wire = packet, .wire_bytes = length};
    if (call) tap_call_media(call, &line->path, &seen);
}

static void on_rtcp(void *user, void *packet, pj_ssize_t length) {
    struct line *line = user;
    if (!line) return;
    void (*rtcp)(void *, void *, pj_ssize_t) = line->below.rtcp;
    void *above = line->below.user;
    if (length > 0) see_rtcp(line, false, NULL, packet, (size_t)length);
    if (rtcp && above) rtcp(above, packet, length);
}

/* Counts what came and was not read yet: the SIP messages are read by a thread of their own, so that on a busy machine a
 * BYE overtakes the media that came before it. Not while a stream reads, which would miss them: another branch of a fork
 * that answers with the SDP of the first stops the media of a stream that goes on. */
void tap_below_drain(struct line *line) {
    pj_sock_t socket = atomic_load(&line->rtp_socket);
    if (line->user || !atomic_load(&line->call) || socket == PJ_INVALID_SOCKET) return;
    for (int left = MAX_WAITING; left > 0; left--) {
        _Alignas(8) uint8_t packet[PJMEDIA_MAX_MRU]; /* all that the transport reads of one */
        uint8_t copy[PJMEDIA_MAX_MRU];
        pj_ssize_t got = sizeof packet;
        pj_sockaddr from;
        int from_length = sizeof from;
        if (pj_sock_recvfrom(socket, packet, &got, MSG_DONTWAIT, &from, &from_length) != PJ_SUCCESS) return;
        if (got <= 0) continue;
        struct tap_address remote = tap_address_of(&from);
        struct passing came = {.line = line,
                               .packet = {.remote = &remote,
                                          .arrived_ns = arrival_ns(socket),
                                          .wire = memcpy(copy, packet, (size_t)got),
                                          .wire_bytes = (size_t)got}};
        int length = (int)got;
        bool is_dtls = tap_is_dtls(packet, (size_t)got);
        pjmedia_srtp_said = NOT_ASKED;
        if (!is_dtls && pjmedia_transport_srtp_decrypt_pkt(line->slave, PJ_TRUE, packet, &length) == PJ_SUCCESS) {
            came.packet.clear = packet;
            came.packet.clear_bytes = (size_t)length;
            cross(line, &came.packet);
        } else {
            dropped(&came);
        }
    }
}

/* --- what goes --- */

/* What the adapter above gives to SRTP, until NULL. */
void tap_below_sends(const struct line *line, const void *clear, pj_size_t length) {
    going = (struct passing){.line = line, .bytes = clear, .length = length};
}

/* What could not be sent was not on the wire: its number is missing in the stream, and counts as lost. DTLS has nothing
 * in the clear that was given to us. */
static pj_status_t send_rtp(pjmedia_transport *transport, const void *packet, pj_size_t length) {
    struct line *line = of(transport)->line;
    pj_status_t status = line->below.own->send_rtp(transport, packet, length);
    if ((status != PJ_SUCCESS && status != PJ_EPENDING) || !atomic_load(&line->call) || !length) return status;
    bool is_told = going.line == line;
    struct tap_crossing sent = {.sent = true,
                                .wire = packet,
                                .wire_bytes = length,
                                .clear = is_told ? going.bytes : packet,
                                .clear_bytes = is_told ? going.length : length};
    cross(line, &sent);
    return status;
}

static pj_status_t send_rtcp(pjmedia_transport *transport, const void *packet, pj_size_t length) {
    struct line *line = of(transport)->line;
    pj_status_t status = line->below.own->send_rtcp(transport, packet, length);
    if ((status == PJ_SUCCESS || status == PJ_EPENDING) && length) see_rtcp(line, true, NULL, packet, length);
    return status;
}

static pj_status_t send_rtcp2(pjmedia_transport *transport, const pj_sockaddr_t *to, unsigned to_length,
                              const void *packet, pj_size_t length) {
    struct line *line = of(transport)->line;
    pj_status_t status = line->below.own->send_rtcp2(transport, to, to_length, packet, length);
    if ((status == PJ_SUCCESS || status == PJ_EPENDING) && length) see_rtcp(line, true, to, packet, length);
    return status;
}

/* --- SRTP above us --- */

static void find_path(struct line *line, const pjmedia_transport_attach_param *stream) {
    struct tap_call *call = atomic_load(&line->call);
    struct tap_path now = {0};
    pjmedia_transport_info info;
    pjmedia_transport_info_init(&info);
    if (!call) return;
    if (line->below.own->get_info(line->below.transport, &info) == PJ_SUCCESS) {
        now.local_rtp = tap_address_of(&info.sock_info.rtp_addr_name);
        now.local_rtcp = tap_address_of(&info.sock_info.rtcp_addr_name);
        atomic_store(&line->rtp_socket, info.sock_info.rtp_sock);
    }
    now.remote_rtp = tap_address_of(&stream->rem_addr);
    now.remote_rtcp = tap_address_of(&stream->rem_rtcp);
    if (!now.remote_rtcp.family || !now.remote_rtcp.port) { /* RFC 3550 §11 */
        now.remote_rtcp = now.remote_rtp;
        now.remote_rtcp.port++;
    }
    tap_call_attached(call, &line->path, &now);
}

/* Of a stream, and before it, of a handshake. */
static pj_status_t attach2(pjmedia_transport *transport, pjmedia_transport_attach_param *srtp) {
    struct line *line = of(transport)->line;
    pjmedia_transport_attach_param ours = *srtp;
    find_path(line, srtp);
    line->below.user = srtp->user_data;
    line->below.rtp = srtp->rtp_cb2;
    line->below.rtcp = srtp->rtcp_cb;
    ours.user_data = line;
    ours.rtp_cb = NULL;
    ours.rtp_cb2 = &on_rtp;
    ours.rtcp_cb = &on_rtcp;
    return line->below.own->attach2(transport, &ours);
}

/* The transport returns once no callback of ours runs any more: what they use is forgotten only then. */
static void detach(pjmedia_transport *transport, void *user) {
    struct line *line = of(transport)->line;
    PJ_UNUSED_ARG(user);
    line->below.own->detach(transport, line);
    line->below.user = NULL;
    line->below.rtp = NULL;
    line->below.rtcp = NULL;
}

/* From now on what crosses the wire of that line is seen; false where there is no SRTP above a transport. */
bool tap_below_install(struct line *line) {
    pjmedia_transport_info info;
    pjmedia_transport_info_init(&info);
    if (pjmedia_transport_get_info(line->slave, &info) != PJ_SUCCESS) return false;
    if (!pjmedia_transport_info_get_spc_info(&info, PJMEDIA_TRANSPORT_TYPE_SRTP)) return false;
    struct below *below = &line->below;
    below->transport = pjmedia_transport_srtp_get_member(line->slave);
    below->own = below->transport->op;
    below->line = line;
    below->operations = *below->own;
    below->operations.send_rtp = &send_rtp;
    below->operations.send_rtcp = &send_rtcp;
    below->operations.send_rtcp2 = &send_rtcp2;
    below->operations.attach2 = &attach2;
    below->operations.detach = &detach;
    below->transport->op = &below->operations;
    atomic_store(&line->rtp_socket, info.sock_info.rtp_sock);
    arrival_ns(info.sock_info.rtp_sock);
    return true;
}
