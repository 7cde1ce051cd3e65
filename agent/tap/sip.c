/* Every SIP message that crosses the wire, REGISTER and retransmissions included, with the connection that carried it;
 * what could not be sent, or not where it was to go, and what pjsip could not read, as such. */
#include <linux/sockios.h>
#include <pjsip.h>
#include <pjsua-lib/pjsua.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "connections.h"
#include "messages.h"

#define UNPARSED 1024       /* that many are kept of what pjsip could not read in UNPARSED_NS: more is a flood */
#define UNPARSED_NS INT64_C(10000000000)
#define UNPARSED_BYTES 4096 /* of each */
#define UNDIRECTED_BYTES 16384

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards these, and what is pending; before messages.c's */
static unsigned unparsed;                                /* since: */
static int64_t unparsed_since_ns;

/* --- messages --- */

/* The address in a pj_sockaddr; family 0 where it has none. */
struct tap_address tap_address_of(const void *sockaddr) {
    const pj_sockaddr *from = sockaddr;
    struct tap_address out = {0};
    if (from->addr.sa_family == pj_AF_INET()) out.family = 4;
    if (from->addr.sa_family == pj_AF_INET6()) out.family = 6;
    if (!out.family) return out;
    out.port = pj_sockaddr_get_port(from);
    memcpy(out.ip, pj_sockaddr_get_addr(from), pj_sockaddr_get_addr_len(from));
    return out;
}

/* Whether a body is, or has among its parts, an SDP. */
static bool has_sdp(const pjsip_msg *message) {
    const pjsip_msg_body *body = message->body;
    pjsip_media_type sdp;
    if (!body) return false;
    pjsip_media_type_init2(&sdp, "application", "sdp");
    if (pjsip_media_type_cmp(&body->content_type, &sdp, PJ_FALSE) == 0) return body->len || body->print_body;
    return pj_stricmp2(&body->content_type.type, "multipart") == 0 && pjsip_multipart_find_part(body, &sdp, NULL);
}

struct carrier { /* of a message */
    int type;
    const pj_sockaddr *local;
    uint64_t connection; /* 0: none */
};

static struct carrier carrier_of(pjsip_transport *transport) {
    return (struct carrier){(int)transport->key.type, &transport->local_addr, tap_connection_number(transport)};
}

/* `peer` NULL: not known. */
static struct message *message_new(bool sent, struct carrier carrier, const pj_sockaddr *peer, struct tap_time time,
                                   const char *text, size_t length, const pj_str_t *id) {
    size_t id_length = id ? (size_t)id->slen : 0;
    struct message *message = calloc(1, sizeof *message + length + id_length);
    if (!message) return NULL;
    struct tap_message *shown = &message->shown;
    shown->real_ns = time.real_ns;
    shown->monotonic_ns = time.monotonic_ns;
    shown->read_ns = tap_now().monotonic_ns;
    shown->connection = carrier.connection;
    shown->length = (uint32_t)length;
    shown->sent = sent;
    shown->secure = (pjsip_transport_get_flag_from_type((pjsip_transport_type_e)carrier.type) &
                     PJSIP_TRANSPORT_SECURE) != 0;
    shown->parsed = 1;
    strncpy(shown->protocol, pjsip_transport_get_type_name(carrier.type & ~PJSIP_TRANSPORT_IPV6),
            sizeof shown->protocol - 1);
    message->local = tap_address_of(carrier.local);
    if (peer) message->peer = tap_address_of(peer);
    tap_address_text(&message->local, shown->local);
    tap_address_text(&message->peer, shown->peer);
    message->id_length = id_length;
    memcpy(message->text, text, length);
    if (id_length) memcpy(message->text + length, id->ptr, id_length);
    return message;
}

/* One of ours. */
static struct message *message_of(const pjsip_tx_data *tdata, struct carrier carrier, const pj_sockaddr_t *to,
                                  const char *text, size_t length) {
    const pjsip_cid_hdr *id = pjsip_msg_find_hdr(tdata->msg, PJSIP_H_CALL_ID, NULL);
    return message_new(true, carrier, to, tap_now(), text, length, id ? &id->id : NULL);
}

/* --- sending --- */

struct pending { /* a message that its transport sends later: a socket is full, or a connection not up yet */
    void *token;
    pjsip_transport_callback callback;
    uint64_t number;         /* while it is in the ring */
    struct message *message; /* then, a copy of it */
    bool returned, ended;
};

/* pjsip's word on a message that was pending: bytes sent, or minus a status. */
static void on_sent(pjsip_transport *transport, void *token, pj_ssize_t size) {
    struct pending *pending = token;
    pj_status_t status = size > 0 ? PJ_SUCCESS : size < 0 ? (pj_status_t)-size : PJ_EUNKNOWN;
    pthread_mutex_lock(&lock);
    if (!pending->returned)
        tap_message_left(pending->number, status);
    else if (pending->message)
        tap_message_late(pending->message, status);
    pending->ended = true;
    bool last = pending->returned;
    void *their_token = pending->token;
    pjsip_transport_callback callback = pending->callback;
    pthread_mutex_unlock(&lock);
    if (last) free(pending);
    if (callback) callback(transport, their_token, size);
}

static pj_status_t send_msg(pjsip_transport *transport, pjsip_tx_data *tdata, const pj_sockaddr_t *to, int to_length,
                            void *token, pjsip_transport_callback callback) {
    tap_send send = tap_connection_send(transport);
    if (!send) return PJSIP_ETPNOTAVAIL; /* it has ended */
    struct pending *pending = tdata->msg ? calloc(1, sizeof *pending) : NULL;
    if (!pending) return send(transport, tdata, to, to_length, token, callback); /* a keep-alive */
    struct message *message = message_of(tdata, carrier_of(transport), to, tdata->buf.start,
                                         (size_t)(tdata->buf.cur - tdata->buf.start));
    if (message) message->shown.sdp = has_sdp(tdata->msg);
    pending->token = token;
    pending->callback = callback;
    pending->number = tap_message_saw(message, true); /* before it is sent: its answer must not come before it */
    pj_status_t status = send(transport, tdata, to, to_length, pending, &on_sent);
    pthread_mutex_lock(&lock);
    bool ended = status != PJ_EPENDING || pending->ended;
    if (status != PJ_EPENDING) {
        tap_message_left(pending->number, status);
    } else if (!ended) {
        pending->message = tap_message_put_off(pending->number, status);
        pending->returned = true;
    }
    pthread_mutex_unlock(&lock);
    if (ended) free(pending);
    return status;
}

/* A message that cannot go to where it is to go: tells of it, and why. It may yet be sent somewhere else. */
void tap_sip_undirected(void *of, const char *target, size_t length, enum tap_undirected why) {
    pjsip_tx_data *tdata = of;
    struct carrier carrier = {0};
    if (tdata->tp_sel.type == PJSIP_TPSELECTOR_TRANSPORT) carrier = carrier_of(tdata->tp_sel.u.transport);
    const pjsip_tpfactory *listener = tdata->tp_sel.type == PJSIP_TPSELECTOR_LISTENER ? tdata->tp_sel.u.listener : NULL;
    if (listener) carrier = (struct carrier){(int)listener->type, &listener->local_addr, 0};
    char *text = carrier.local && tdata->msg ? malloc(UNDIRECTED_BYTES) : NULL;
    pj_ssize_t printed = text ? pjsip_msg_print(tdata->msg, text, UNDIRECTED_BYTES) : -1;
    struct message *message = printed > 0 ? message_of(tdata, carrier, NULL, text, (size_t)printed) : NULL;
    free(text);
    if (!message) return;
    message->shown.unsent = why;
    if (length >= sizeof message->shown.target) length = sizeof message->shown.target - 1;
    memcpy(message->shown.target, target, length);
    tap_message_saw(message, false);
}

/* The beginning of a message of a connection, of which the rest has not come. */
void tap_sip_unread(void *of, uint64_t connection, const char *text, size_t length) {
    pjsip_transport *transport = of;
    struct carrier carrier = {(int)transport->key.type, &transport->local_addr, connection};
    struct message *message = message_new(false, carrier, &transport->key.rem_addr, tap_now(), text, length, NULL);
    if (message) message->shown.parsed = 0;
    tap_message_saw(message, false);
}

/* --- the module --- */

/* When the datagram that was read last came to its socket, however late a worker read it. Connections: now. The first
 * time it is asked, it is from then on that the kernel takes note. */
static struct tap_time arrival(pjsip_transport *transport) {
    struct timespec at;
    bool datagrams = (transport->key.type & ~PJSIP_TRANSPORT_IPV6) == PJSIP_TRANSPORT_UDP;
    pj_sock_t socket = datagrams ? pjsip_udp_transport_get_socket(transport) : PJ_INVALID_SOCKET;
    if (socket == PJ_INVALID_SOCKET || ioctl((int)socket, SIOCGSTAMPNS, &at) != 0) return tap_now();
    return tap_time_of(at.tv_sec * INT64_C(1000000000) + at.tv_nsec);
}

static pj_bool_t on_rx(pjsip_rx_data *rdata) {
    struct message *message = message_new(false, carrier_of(rdata->tp_info.transport), &rdata->pkt_info.src_addr,
                                          arrival(rdata->tp_info.transport), rdata->msg_info.msg_buf,
                                          (size_t)rdata->msg_info.len,
                                          rdata->msg_info.cid ? &rdata->msg_info.cid->id : NULL);
    if (message) {
        message->shown.sdp = has_sdp(rdata->msg_info.msg);
        message->leads_back = tap_leads_back(rdata);
    }
    tap_message_saw(message, false);
    tap_route_back(rdata);
    return PJ_FALSE;
}

/* Before its transport is asked to send: send_msg takes it from there. */
static pj_status_t on_tx(pjsip_tx_data *tdata) {
    tap_connection_number(tdata->tp_info.transport);
    return PJ_SUCCESS;
}

/* What pjsip could not read, but for the empty lines of a keep-alive. It tells not who sent it: of a datagram its
 * rx_data does, which begins with it, or with empty lines that were dropped just before. */
static void on_dropped(pjsip_tp_dropped_data *dropped) {
    static __thread const char *lines, *behind_lines;
    const char *data = dropped->data;
    if (dropped->status == PJ_EIGNORED) {
        lines = data;
        behind_lines = data + dropped->len;
        tap_connection_empty_lines(dropped->tp, dropped->len);
        return;
    }
    const char *packet = data == behind_lines ? lines : data;
    lines = behind_lines = NULL;
    if (!data || !dropped->len) return;
    pjsip_transport *transport = dropped->tp;
    const pj_sockaddr *peer = &transport->key.rem_addr;
    if (transport->flag & PJSIP_TRANSPORT_DATAGRAM)
        peer = &((const pjsip_rx_data *)(packet - offsetof(pjsip_rx_data, pkt_info.packet)))->pkt_info.src_addr;
    int64_t now_ns = tap_now().monotonic_ns;
    pthread_mutex_lock(&lock);
    if (now_ns - unparsed_since_ns > UNPARSED_NS) {
        unparsed_since_ns = now_ns;
        unparsed = 0;
    }
    bool flood = unparsed++ >= UNPARSED;
    pthread_mutex_unlock(&lock);
    if (flood) return;
    size_t length = dropped->len < UNPARSED_BYTES ? dropped->len : UNPARSED_BYTES;
    struct message *message = message_new(false, carrier_of(transport), peer, arrival(transport), data, length, NULL);
    if (message) message->shown.parsed = 0;
    tap_message_saw(message, false);
}

/* Below the transport layer's own module: the first to see what came, the last to see what is sent, as printed. */
static pjsip_module module = {.name = {"mod-calltest-tap", 16},
                              .priority = PJSIP_MOD_PRIORITY_TRANSPORT_LAYER - 1,
                              .on_rx_request = &on_rx,
                              .on_rx_response = &on_rx,
                              .on_tx_request = &on_tx,
                              .on_tx_response = &on_tx};

int tap_sip_install(void) {
    pjsip_endpoint *endpoint = pjsua_get_pjsip_endpt();
    module.id = -1;
    tap_connections_install(endpoint, &send_msg);
    tap_resolve_install(endpoint);
    pj_status_t status = pjsip_tpmgr_set_drop_data_cb(pjsip_endpt_get_tpmgr(endpoint), &on_dropped);
    return status ? status : pjsip_endpt_register_module(endpoint, &module);
}
