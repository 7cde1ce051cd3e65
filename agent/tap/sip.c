/* Every SIP message that crosses the wire, REGISTER and retransmissions included, with the connection that carried it.
 * The last ones are kept for their reader, and for captures that are opened for an INVITE that has just come. */
#define _GNU_SOURCE
#include <pjsip.h>
#include <pjsua-lib/pjsua.h>
#include <stdlib.h>
#include <string.h>

#include "tap.h"

#define MESSAGES 16384
#define MESSAGES_BYTES (16 * 1024 * 1024)

struct message {
    struct tap_message shown;
    struct tap_address local, peer;
    size_t id_length;
    char text[]; /* the message, then its Call-ID */
};

struct connection {
    struct connection *next;
    const pjsip_transport *transport;
    uint64_t number;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards all of these; taken before the locks of call.c */
static struct message *ring[MESSAGES];
static uint64_t oldest = 1, newest; /* numbers of messages kept: none where oldest > newest */
static size_t bytes_kept;
static struct connection *connections;
static uint64_t connections_seen;

/* --- connections --- */

static void on_transport_state(pjsip_transport *transport, pjsip_transport_state state,
                               const pjsip_transport_state_info *info) {
    PJ_UNUSED_ARG(info);
    if (state != PJSIP_TP_STATE_DESTROY) return;
    pthread_mutex_lock(&lock);
    for (struct connection **at = &connections; *at; at = &(*at)->next) {
        struct connection *gone = *at;
        if (gone->transport != transport) continue;
        *at = gone->next;
        free(gone);
        break;
    }
    pthread_mutex_unlock(&lock);
}

/* A number for the connection: its address may be another's tomorrow. 0 where its end could not be heard of. */
static uint64_t connection_number(pjsip_transport *transport) {
    pjsip_tp_state_listener_key *key;
    pthread_mutex_lock(&lock);
    const struct connection *known = connections;
    while (known && known->transport != transport) known = known->next;
    uint64_t number = known ? known->number : 0;
    pthread_mutex_unlock(&lock);
    if (known) return number;
    struct connection *made = calloc(1, sizeof *made);
    /* Without our lock: pjsip takes the transport's, and holds it while it tells us of its end. */
    if (!made || pjsip_transport_add_state_listener(transport, &on_transport_state, NULL, &key) != PJ_SUCCESS) {
        free(made);
        return 0;
    }
    pthread_mutex_lock(&lock);
    made->transport = transport;
    number = made->number = ++connections_seen;
    made->next = connections;
    connections = made;
    pthread_mutex_unlock(&lock);
    return number;
}

/* --- messages --- */

static void drop_oldest(void) {
    struct message *gone = ring[oldest % MESSAGES];
    ring[oldest++ % MESSAGES] = NULL;
    if (!gone) return;
    bytes_kept -= sizeof *gone + gone->shown.length + gone->id_length;
    free(gone);
}

/* Gives the message its number and keeps it; NULL (a gap in the numbers) where there is no memory. */
static void keep(struct message *message, size_t bytes) {
    newest++;
    while (oldest < newest && (newest - oldest >= MESSAGES || bytes_kept + bytes > MESSAGES_BYTES)) drop_oldest();
    ring[newest % MESSAGES] = message;
    if (!message) return;
    message->shown.number = newest;
    bytes_kept += bytes;
}

static void write_to(struct tap_call *call, const struct message *message) {
    bool sent = message->shown.sent;
    tap_call_sip(call, message->shown.real_ns, sent ? &message->local : &message->peer,
                 sent ? &message->peer : &message->local, message->text, message->shown.length);
}

/* Whether a message's body is, or has in it, an SDP: a line that begins with its version. */
static bool has_sdp(const struct message *message) {
    const char *end = message->text + message->shown.length;
    const char *body = memmem(message->text, message->shown.length, "\r\n\r\n", 4);
    return body && memmem(body, (size_t)(end - body), "\nv=0", 4);
}

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

static void saw(bool sent, pjsip_transport *transport, const pj_sockaddr *peer, const char *text, size_t length,
                const pj_str_t *id) {
    struct tap_time now = tap_now();
    size_t id_length = id ? (size_t)id->slen : 0, bytes = sizeof(struct message) + length + id_length;
    uint64_t connection = connection_number(transport);
    struct message *message = calloc(1, bytes);
    if (message) {
        struct tap_message *shown = &message->shown;
        shown->real_ns = now.real_ns;
        shown->monotonic_ns = now.monotonic_ns;
        shown->connection = connection;
        shown->length = (uint32_t)length;
        shown->sent = sent;
        shown->secure = PJSIP_TRANSPORT_IS_SECURE(transport) != 0;
        strncpy(shown->protocol, pjsip_transport_get_type_name(transport->key.type & ~PJSIP_TRANSPORT_IPV6),
                sizeof shown->protocol - 1);
        message->local = tap_address_of(&transport->local_addr);
        message->peer = tap_address_of(peer);
        tap_address_text(&message->local, shown->local);
        tap_address_text(&message->peer, shown->peer);
        message->id_length = id_length;
        memcpy(message->text, text, length);
        if (id_length) memcpy(message->text + length, id->ptr, id_length);
    }
    pthread_mutex_lock(&lock);
    keep(message, bytes);
    struct tap_call *call = message && id_length ? tap_call_find(id->ptr, id_length) : NULL;
    if (call) write_to(call, message);
    if (call && has_sdp(message)) tap_call_sdp(call);
    pthread_mutex_unlock(&lock);
    if (call) tap_call_release(call);
}

/* A call was opened. Gives it its capture (or NULL), beginning with those of its messages that are still kept; false
 * where it has one. `first`: it was not open before, and does not know how many SDPs it had. */
bool tap_sip_replay(struct tap_call *call, const char *id, struct tap_capture *capture, bool first) {
    size_t length = strlen(id);
    uint32_t sdps = 0;
    pthread_mutex_lock(&lock);
    bool is_kept = capture && tap_call_capture(call, capture);
    for (uint64_t number = oldest; (is_kept || first) && number <= newest; number++) {
        const struct message *message = ring[number % MESSAGES];
        if (!message || message->id_length != length || memcmp(message->text + message->shown.length, id, length) != 0)
            continue;
        if (is_kept) write_to(call, message);
        sdps += has_sdp(message);
    }
    if (first) tap_call_sdps(call, sdps);
    pthread_mutex_unlock(&lock);
    return is_kept;
}

/* The first message kept with a number above `after`, its text cut to `room`; 0 where there is none yet. A number
 * higher than `after` + 1 says that messages in between are gone: they were not asked for in time. */
int tap_message(uint64_t after, struct tap_message *out, char *text, size_t room) {
    pthread_mutex_lock(&lock);
    uint64_t number = after < oldest ? oldest : after + 1;
    while (number <= newest && !ring[number % MESSAGES]) number++;
    const struct message *message = number <= newest ? ring[number % MESSAGES] : NULL;
    if (message) {
        *out = message->shown;
        memcpy(text, message->text, message->shown.length < room ? message->shown.length : room);
    }
    pthread_mutex_unlock(&lock);
    return message != NULL;
}

/* --- the module --- */

static pj_bool_t on_rx(pjsip_rx_data *rdata) {
    saw(false, rdata->tp_info.transport, &rdata->pkt_info.src_addr, rdata->msg_info.msg_buf,
        (size_t)rdata->msg_info.len, rdata->msg_info.cid ? &rdata->msg_info.cid->id : NULL);
    return PJ_FALSE;
}

static pj_status_t on_tx(pjsip_tx_data *tdata) {
    const pjsip_cid_hdr *id = pjsip_msg_find_hdr(tdata->msg, PJSIP_H_CALL_ID, NULL);
    saw(true, tdata->tp_info.transport, &tdata->tp_info.dst_addr, tdata->buf.start,
        (size_t)(tdata->buf.cur - tdata->buf.start), id ? &id->id : NULL);
    return PJ_SUCCESS;
}

/* Below the transport layer's own module: the first to see what came, the last to see what is sent, as printed. */
static pjsip_module module = {.name = {"mod-calltest-tap", 16},
                              .priority = PJSIP_MOD_PRIORITY_TRANSPORT_LAYER - 1,
                              .on_rx_request = &on_rx,
                              .on_rx_response = &on_rx,
                              .on_tx_request = &on_tx,
                              .on_tx_response = &on_tx};

int tap_sip_install(void) {
    module.id = -1;
    return pjsip_endpt_register_module(pjsua_get_pjsip_endpt(), &module);
}
