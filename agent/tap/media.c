/* A pjmedia transport adapter around the transport (SRTP's included) of each media line: sees every RTP and RTCP packet
 * in plain, passes everything on. It lives as long as the transport that it wraps, by way of its group lock. */
#include <linux/sockios.h>
#include <pjsua-lib/pjsua.h>
#include <pjsua-lib/pjsua_internal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>

#include "tap.h"
#include "types.h"

#define MAX_WAITING 4096 /* datagrams: a flood shall not hold up the end of its call */

struct line {
    pjmedia_transport base; /* first: pjsip knows us by it */
    pjmedia_transport *slave;
    pj_bool_t owns_slave;
    pjsua_call_id index;
    void *user;
    void (*rtp)(void *user, void *packet, pj_ssize_t length);
    void (*rtp2)(pjmedia_tp_cb_param *param);
    void (*rtcp)(void *user, void *packet, pj_ssize_t length);
    _Atomic(struct tap_call *) call; /* NULL while nobody asked for it; set once */
    _Atomic pj_sock_t rtp_socket;
    struct tap_path path;
};

static pjmedia_transport *(*wrapped)(pjsua_call_id, unsigned, pjmedia_transport *, unsigned);

/* --- packets --- */

/* When the packet that was read last from this socket came to it, which may be long before an agent that is late reads
 * it; 0: not known. The first time it is asked, it is from then on that the kernel takes note. */
static int64_t arrival_ns(pj_sock_t socket) {
    struct timespec at;
    if (socket == PJ_INVALID_SOCKET || ioctl((int)socket, SIOCGSTAMPNS, &at) != 0) return 0;
    return at.tv_sec * INT64_C(1000000000) + at.tv_nsec;
}

static pj_sock_t rtp_socket(pjmedia_transport *transport) {
    pjmedia_transport_info info;
    pjmedia_transport_info_init(&info);
    return pjmedia_transport_get_info(transport, &info) == PJ_SUCCESS ? info.sock_info.rtp_sock : PJ_INVALID_SOCKET;
}

static void saw(struct line *line, bool sent, bool rtcp, const pj_sockaddr *remote, const void *packet,
                pj_ssize_t length) {
    struct tap_call *call = atomic_load(&line->call);
    struct tap_address from;
    if (!call || length <= 0) return; /* negative: an error of the socket */
    if (remote) from = tap_address_of(remote);
    int64_t at_ns = sent || rtcp ? 0 : arrival_ns(atomic_load(&line->rtp_socket));
    tap_call_media(call, &line->path, sent, rtcp, remote ? &from : NULL, at_ns, packet, (size_t)length);
}

/* Counts what came and was not read yet: the SIP messages are read by a thread of their own, so that on a busy machine a
 * BYE overtakes the media that came before it. Not while a stream reads, which would miss them: another branch of a fork
 * that answers with the SDP of the first stops the media of a stream that goes on. */
static void drain(struct line *line) {
    if (line->user) return;
    pj_sock_t socket = atomic_load(&line->rtp_socket);
    if (!atomic_load(&line->call) || socket == PJ_INVALID_SOCKET) return;
    for (int left = MAX_WAITING; left > 0; left--) {
        _Alignas(8) uint8_t packet[PJMEDIA_MAX_MRU]; /* all that the slave reads of one */
        pj_ssize_t got = sizeof packet;
        pj_sockaddr from;
        int from_length = sizeof from;
        if (pj_sock_recvfrom(socket, packet, &got, MSG_DONTWAIT, &from, &from_length) != PJ_SUCCESS) return;
        int length = (int)got;
        if (length > 0 && pjmedia_transport_srtp_decrypt_pkt(line->slave, PJ_TRUE, packet, &length) == PJ_SUCCESS)
            saw(line, false, false, &from, packet, length);
    }
}

static void on_rtp(pjmedia_tp_cb_param *param) {
    struct line *line = param->user_data;
    saw(line, false, false, param->src_addr, param->pkt, param->size);
    if (line->rtp2) {
        param->user_data = line->user;
        line->rtp2(param);
        param->user_data = line;
    } else if (line->rtp) {
        line->rtp(line->user, param->pkt, param->size);
    }
}

static void on_rtcp(void *user, void *packet, pj_ssize_t length) {
    struct line *line = user;
    saw(line, false, true, NULL, packet, length);
    if (line->rtcp) line->rtcp(line->user, packet, length);
}

/* What could not be sent was not on the wire: its number is missing in the stream, and counts as lost. */
static pj_status_t sent(struct line *line, bool rtcp, const pj_sockaddr *to, const void *packet, pj_size_t length,
                        pj_status_t status) {
    if (status == PJ_SUCCESS || status == PJ_EPENDING) saw(line, true, rtcp, to, packet, (pj_ssize_t)length);
    return status;
}

static pj_status_t send_rtp(pjmedia_transport *transport, const void *packet, pj_size_t length) {
    struct line *line = (struct line *)transport;
    return sent(line, false, NULL, packet, length, pjmedia_transport_send_rtp(line->slave, packet, length));
}

static pj_status_t send_rtcp(pjmedia_transport *transport, const void *packet, pj_size_t length) {
    struct line *line = (struct line *)transport;
    return sent(line, true, NULL, packet, length, pjmedia_transport_send_rtcp(line->slave, packet, length));
}

static pj_status_t send_rtcp2(pjmedia_transport *transport, const pj_sockaddr_t *to, unsigned to_length,
                              const void *packet, pj_size_t length) {
    struct line *line = (struct line *)transport;
    pj_status_t status = pjmedia_transport_send_rtcp2(line->slave, to, to_length, packet, length);
    return sent(line, true, to, packet, length, status);
}

/* --- what the SDP says --- */

static uint8_t codec_of(const pj_str_t *name) {
    static const struct {
        const char *name;
        enum tap_codec codec;
    } known[] = {{"telephone-event", TAP_EVENT}, {"PCMU", TAP_PCMU}, {"PCMA", TAP_PCMA}, {"CN", TAP_NOISE}};
    for (unsigned i = 0; i < PJ_ARRAY_SIZE(known); i++)
        if (pj_stricmp2(name, known[i].name) == 0) return known[i].codec;
    return TAP_OTHER;
}

static void formats(struct tap_formats *out, const pjmedia_sdp_session *sdp, unsigned index) {
    memset(out, 0, sizeof *out);
    if (!sdp || index >= sdp->media_count) return;
    const pjmedia_sdp_media *media = sdp->media[index];
    for (unsigned i = 0; i < media->desc.fmt_count; i++) {
        unsigned long payload_type = pj_strtoul(&media->desc.fmt[i]);
        pjmedia_sdp_rtpmap map;
        if (payload_type > 127) continue;
        const pjmedia_sdp_attr *attribute = pjmedia_sdp_media_find_attr2(media, "rtpmap", &media->desc.fmt[i]);
        if (attribute && pjmedia_sdp_attr_get_rtpmap(attribute, &map) == PJ_SUCCESS) {
            out->clock_hz[payload_type] = map.clock_rate;
            out->codec[payload_type] = codec_of(&map.enc_name);
        } else if (payload_type < RTP_STATIC_TYPES) { /* which an SDP need not explain */
            const pj_str_t name = pj_str((char *)rtp_static_types[payload_type].name);
            out->clock_hz[payload_type] = rtp_static_types[payload_type].clock_hz;
            out->codec[payload_type] = codec_of(&name);
        }
    }
}

/* Media was negotiated, for the first time or again: the dialog, and with it the Call-ID, is there and locked. */
static pj_status_t media_start(pjmedia_transport *transport, pj_pool_t *pool, const pjmedia_sdp_session *local,
                               const pjmedia_sdp_session *remote, unsigned index) {
    struct line *line = (struct line *)transport;
    struct tap_call *call = atomic_load(&line->call);
    const pjsip_inv_session *session = pjsua_get_var()->calls[line->index].inv;
    if (!call && session) {
        const pj_str_t *id = &session->dlg->call_id->id;
        call = tap_call_find(id->ptr, (size_t)id->slen);
    }
    if (call) {
        struct tap_formats sent, received; /* a side's SDP says what it receives (RFC 3264 §5.1) */
        formats(&sent, remote, index);
        formats(&received, local, index);
        tap_call_formats(call, &line->path, &sent, &received);
        atomic_store(&line->call, call);
    }
    return pjmedia_transport_media_start(line->slave, pool, local, remote, index);
}

/* --- the stream above us --- */

static void find_path(struct line *line, const pjmedia_transport_attach_param *stream) {
    struct tap_call *call = atomic_load(&line->call);
    struct tap_path now = {0};
    pjmedia_transport_info info;
    pjmedia_transport_info_init(&info);
    if (!call) return;
    if (pjmedia_transport_get_info(line->slave, &info) == PJ_SUCCESS) {
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

static pj_status_t attach2(pjmedia_transport *transport, pjmedia_transport_attach_param *stream) {
    struct line *line = (struct line *)transport;
    pjmedia_transport_attach_param ours = *stream;
    find_path(line, stream);
    line->user = stream->user_data;
    line->rtp = stream->rtp_cb;
    line->rtp2 = stream->rtp_cb2;
    line->rtcp = stream->rtcp_cb;
    ours.user_data = line;
    ours.rtp_cb = NULL;
    ours.rtp_cb2 = &on_rtp;
    ours.rtcp_cb = &on_rtcp;
    return pjmedia_transport_attach2(line->slave, &ours);
}

/* The slave returns once no callback of ours runs any more: what they use is forgotten only then. */
static void detach(pjmedia_transport *transport, void *user) {
    struct line *line = (struct line *)transport;
    PJ_UNUSED_ARG(user);
    if (!line->user) return;
    pjmedia_transport_detach(line->slave, line);
    line->user = NULL;
    line->rtp = NULL;
    line->rtp2 = NULL;
    line->rtcp = NULL;
}

/* --- passed on --- */

static pj_status_t get_info(pjmedia_transport *transport, pjmedia_transport_info *info) {
    return pjmedia_transport_get_info(((struct line *)transport)->slave, info);
}

static pj_status_t media_create(pjmedia_transport *transport, pj_pool_t *pool, unsigned options,
                                const pjmedia_sdp_session *remote, unsigned index) {
    return pjmedia_transport_media_create(((struct line *)transport)->slave, pool, options, remote, index);
}

static pj_status_t encode_sdp(pjmedia_transport *transport, pj_pool_t *pool, pjmedia_sdp_session *local,
                              const pjmedia_sdp_session *remote, unsigned index) {
    return pjmedia_transport_encode_sdp(((struct line *)transport)->slave, pool, local, remote, index);
}

static pj_status_t media_stop(pjmedia_transport *transport) {
    struct line *line = (struct line *)transport;
    drain(line);
    return pjmedia_transport_media_stop(line->slave);
}

static pj_status_t simulate_lost(pjmedia_transport *transport, pjmedia_dir dir, unsigned percent) {
    return pjmedia_transport_simulate_lost(((struct line *)transport)->slave, dir, percent);
}

/* --- life --- */

static void line_free(void *member) {
    struct line *line = member;
    struct tap_call *call = atomic_load(&line->call);
    if (call) tap_call_release(call);
    free(line);
}

static pj_status_t destroy(pjmedia_transport *transport) {
    struct line *line = (struct line *)transport;
    pj_grp_lock_t *group = line->base.grp_lock;
    pj_status_t status = line->owns_slave ? pjmedia_transport_close(line->slave) : PJ_SUCCESS;
    if (group)
        pj_grp_lock_dec_ref(group); /* ours; line_free runs with the last one */
    else
        line_free(line);
    return status;
}

static pjmedia_transport_op operations = {
    .get_info = &get_info,
    .detach = &detach,
    .send_rtp = &send_rtp,
    .send_rtcp = &send_rtcp,
    .send_rtcp2 = &send_rtcp2,
    .media_create = &media_create,
    .encode_sdp = &encode_sdp,
    .media_start = &media_start,
    .media_stop = &media_stop,
    .simulate_lost = &simulate_lost,
    .destroy = &destroy,
    .attach2 = &attach2,
};

/* pjsua asks for each media line of each call. pjsua2's own callback runs first: it creates the incoming Call. */
static pjmedia_transport *wrap(pjsua_call_id index, unsigned media, pjmedia_transport *transport, unsigned flags) {
    if (wrapped) transport = wrapped(index, media, transport, flags);
    struct line *line = transport ? calloc(1, sizeof *line) : NULL;
    if (!line) return transport;
    strcpy(line->base.name, "tap");
    line->base.type = (pjmedia_transport_type)(PJMEDIA_TRANSPORT_TYPE_USER + 1);
    line->base.op = &operations;
    line->base.grp_lock = transport->grp_lock;
    line->slave = transport;
    line->owns_slave = (flags & PJSUA_MED_TP_CLOSE_MEMBER) != 0;
    line->index = index;
    atomic_store(&line->rtp_socket, rtp_socket(transport));
    arrival_ns(atomic_load(&line->rtp_socket));
    if (transport->grp_lock) {
        pj_grp_lock_add_ref(transport->grp_lock);
        pj_grp_lock_add_handler(transport->grp_lock, NULL, line, &line_free);
    }
    return &line->base;
}

/* Every media line made from now on is seen. */
void tap_media_install(void) {
    struct pjsua_data *pjsua = pjsua_get_var();
    if (pjsua->ua_cfg.cb.on_create_media_transport == &wrap) return;
    wrapped = pjsua->ua_cfg.cb.on_create_media_transport;
    pjsua->ua_cfg.cb.on_create_media_transport = &wrap;
}
