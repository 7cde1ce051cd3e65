/* A pjmedia transport adapter around SRTP, which is around the transport of each media line: sees what a call's stream says
 * and hears, in the clear, tells below.c of it, and passes everything on. It lives as long as the transport that it wraps,
 * by way of its group lock. */
#include <pjsua-lib/pjsua.h>
#include <pjsua-lib/pjsua_internal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "line.h"
#include "types.h"

static pjmedia_transport *(*wrapped)(pjsua_call_id, unsigned, pjmedia_transport *, unsigned);

/* --- packets --- */

static void on_rtp(pjmedia_tp_cb_param *param) {
    struct line *line = param->user_data;
    tap_below_passed(line, param->pkt, param->size);
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
    if (line->rtcp) line->rtcp(line->user, packet, length);
}

static pj_status_t send_rtp(pjmedia_transport *transport, const void *packet, pj_size_t length) {
    struct line *line = (struct line *)transport;
    tap_below_sends(line, packet, length);
    pj_status_t status = pjmedia_transport_send_rtp(line->slave, packet, length);
    tap_below_sends(NULL, NULL, 0);
    return status;
}

static pj_status_t send_rtcp(pjmedia_transport *transport, const void *packet, pj_size_t length) {
    return pjmedia_transport_send_rtcp(((struct line *)transport)->slave, packet, length);
}

static pj_status_t send_rtcp2(pjmedia_transport *transport, const pj_sockaddr_t *to, unsigned to_length,
                              const void *packet, pj_size_t length) {
    return pjmedia_transport_send_rtcp2(((struct line *)transport)->slave, to, to_length, packet, length);
}

/* --- what the SDP says --- */

/* Of names with a clock, those of another one are none that we know. */
static uint8_t codec_of(const pj_str_t *name, uint32_t clock_hz) {
    static const struct {
        const char *name;
        uint32_t clock_hz;
        enum tap_codec codec;
    } known[] = {{"telephone-event", 0, TAP_EVENT}, {"CN", 0, TAP_NOISE},      {"PCMU", 8000, TAP_PCMU},
                 {"PCMA", 8000, TAP_PCMA},          {"G722", 8000, TAP_G722},  {"GSM", 8000, TAP_GSM},
                 {"speex", 8000, TAP_SPEEX},        {"L16", 8000, TAP_L16},    {"opus", 48000, TAP_OPUS},
                 {"G729", 8000, TAP_G729}};
    for (unsigned i = 0; i < PJ_ARRAY_SIZE(known); i++)
        if (pj_stricmp2(name, known[i].name) == 0 && (!known[i].clock_hz || known[i].clock_hz == clock_hz))
            return known[i].codec;
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
            out->codec[payload_type] = codec_of(&map.enc_name, map.clock_rate);
        } else if (payload_type < RTP_STATIC_TYPES) { /* which an SDP need not explain */
            const pj_str_t name = pj_str((char *)rtp_static_types[payload_type].name);
            out->clock_hz[payload_type] = rtp_static_types[payload_type].clock_hz;
            out->codec[payload_type] = codec_of(&name, rtp_static_types[payload_type].clock_hz);
        }
    }
}

/* --- what SRTP is --- */

static struct tap_call *call_of(pjsua_call_id index) {
    const pjsua_call *call = &pjsua_get_var()->calls[index];
    const pjsip_dialog *dialog = call->inv ? call->inv->dlg : call->async_call.dlg;
    return dialog ? tap_call_find(dialog->call_id->id.ptr, (size_t)dialog->call_id->id.slen) : NULL;
}

/* The dialog, and with it the Call-ID, is there and locked. */
static struct tap_call *know(struct line *line) {
    struct tap_call *call = atomic_load(&line->call);
    if (!call && (call = call_of(line->index)) != NULL) atomic_store(&line->call, call);
    return call;
}

static void copy_name(char to[TAP_SUITE_TEXT], const pj_str_t *name) {
    size_t length = name->slen > 0 ? (size_t)name->slen : 0;
    memcpy(to, name->ptr, length < TAP_SUITE_TEXT ? length : TAP_SUITE_TEXT - 1);
}

static void tell_keys(struct line *line) {
    struct tap_call *call = atomic_load(&line->call);
    struct tap_keys now = {.ticket = atomic_fetch_add(&line->tickets, 1) + 1};
    pjmedia_transport_info info;
    pjmedia_transport_info_init(&info);
    if (!call || pjmedia_transport_get_info(line->slave, &info) != PJ_SUCCESS) return;
    const pjmedia_srtp_info *srtp = pjmedia_transport_info_get_spc_info(&info, PJMEDIA_TRANSPORT_TYPE_SRTP);
    if (srtp && srtp->active) {
        now.active = true;
        now.keying = atomic_load(&line->keying);
        copy_name(now.sent_suite, &srtp->tx_policy.name);
        copy_name(now.received_suite, &srtp->rx_policy.name);
    }
    tap_call_keys(call, &line->path, &now);
}

/* A handshake came to its end. */
static void on_negotiated(pjmedia_transport *srtp, pj_status_t status) {
    struct line *line = tap_line_of_srtp(srtp);
    struct tap_call *call = atomic_load(&line->call);
    if (call) tap_call_dtls_end(call, &line->path, status);
    tell_keys(line);
    if (line->negotiated) line->negotiated(srtp, status);
}

/* An answer names one way to come to keys. */
static enum tap_keying keying_of(const pjmedia_sdp_session *local, unsigned index) {
    if (index >= local->media_count) return TAP_NO_KEYS;
    const pjmedia_sdp_media *media = local->media[index];
    if (pjmedia_sdp_media_find_attr2(media, "crypto", NULL)) return TAP_SDES;
    bool is_dtls = pjmedia_sdp_media_find_attr2(media, "fingerprint", NULL) != NULL;
    return is_dtls ? TAP_DTLS : TAP_NO_KEYS;
}

/* Media was negotiated, for the first time or again. */
static pj_status_t media_start(pjmedia_transport *transport, pj_pool_t *pool, const pjmedia_sdp_session *local,
                               const pjmedia_sdp_session *remote, unsigned index) {
    struct line *line = (struct line *)transport;
    struct tap_call *call = know(line);
    if (call) {
        struct tap_formats sent, received; /* a side's SDP says what it receives (RFC 3264 §5.1) */
        formats(&sent, remote, index);
        formats(&received, local, index);
        tap_call_formats(call, &line->path, &sent, &received);
    }
    atomic_store(&line->keying, keying_of(local, index));
    pj_status_t status = pjmedia_transport_media_start(line->slave, pool, local, remote, index);
    if (call && status != PJ_SUCCESS && atomic_load(&line->keying) == TAP_DTLS)
        tap_call_dtls_end(call, &line->path, status); /* it had come to its end before the answer did */
    tell_keys(line);
    return status;
}

/* --- the stream above us --- */

static pj_status_t attach2(pjmedia_transport *transport, pjmedia_transport_attach_param *stream) {
    struct line *line = (struct line *)transport;
    pjmedia_transport_attach_param ours = *stream;
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

/* A handshake may begin with this: with an answer, before it is sent. */
static pj_status_t encode_sdp(pjmedia_transport *transport, pj_pool_t *pool, pjmedia_sdp_session *local,
                              const pjmedia_sdp_session *remote, unsigned index) {
    struct line *line = (struct line *)transport;
    struct tap_call *call = know(line);
    if (call && remote) tap_call_answering(call, &line->path);
    return pjmedia_transport_encode_sdp(line->slave, pool, local, remote, index);
}

static pj_status_t media_stop(pjmedia_transport *transport) {
    struct line *line = (struct line *)transport;
    tap_below_drain(line);
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

static void watch_negotiation(struct line *line) {
    pjmedia_srtp_setting setting;
    pjmedia_transport_srtp_get_setting(line->slave, &setting);
    line->negotiated = setting.cb.on_srtp_nego_complete;
    setting.cb.on_srtp_nego_complete = &on_negotiated;
    pjmedia_transport_srtp_modify_setting(line->slave, &setting);
}

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
    if (!tap_below_install(line)) {
        free(line);
        return transport;
    }
    watch_negotiation(line);
    if (transport->grp_lock) {
        pj_grp_lock_add_ref(transport->grp_lock);
        pj_grp_lock_add_handler(transport->grp_lock, NULL, line, &line_free);
    }
    return &line->base;
}

/* --- what it is to be --- */

static void apply(const struct tap_srtp *wanted, pjmedia_srtp_setting *setting) {
    setting->use = (pjmedia_srtp_use)wanted->use;
    setting->keying_count = wanted->keying_count;
    for (unsigned i = 0; i < wanted->keying_count; i++)
        setting->keying[i] =
            wanted->keyings[i] == TAP_DTLS ? PJMEDIA_SRTP_KEYING_DTLS_SRTP : PJMEDIA_SRTP_KEYING_SDES;
    pjmedia_srtp_crypto known[PJMEDIA_SRTP_MAX_CRYPTOS];
    unsigned count = PJMEDIA_SRTP_MAX_CRYPTOS;
    pjmedia_srtp_enum_crypto(&count, known);
    setting->crypto_count = 0;
    for (unsigned i = 0; i < wanted->suite_count && i < TAP_MAX_SUITES; i++)
        for (unsigned j = 0; j < count; j++)
            if (pj_stricmp2(&known[j].name, wanted->suites[i]) == 0) setting->crypto[setting->crypto_count++] = known[j];
}

/* pjsua asks before it makes SRTP for a media line. An incoming call has its pjsua2 Call with the first thing that pjsua2
 * hears of its media: that is this. */
static void choose(pjsua_call_id index, unsigned media, pjmedia_srtp_setting *setting) {
    if (pjsua_get_var()->calls[index].incoming_data && wrapped) wrapped(index, media, NULL, 0);
    struct tap_call *call = call_of(index);
    struct tap_srtp wanted = {0};
    if (!call) return;
    tap_call_srtp(call, NULL, &wanted);
    if (wanted.told) apply(&wanted, setting);
    tap_call_release(call);
}

/* Every media line made from now on is seen. */
void tap_media_install(void) {
    struct pjsua_data *pjsua = pjsua_get_var();
    if (pjsua->ua_cfg.cb.on_create_media_transport == &wrap) return;
    wrapped = pjsua->ua_cfg.cb.on_create_media_transport;
    pjsua->ua_cfg.cb.on_create_media_transport = &wrap;
    pjsua->ua_cfg.cb.on_create_media_transport_srtp = &choose;
    pjmedia_srtp_init_lib(pjsua->med_endpt); /* it makes a key of RSA for DTLS: not while a call waits */
}
