/* What carries messages: a UDP socket, or a TCP or TLS connection, each with a number of its own for good. Of connections
 * it is told when they were opened, were up, and ended, and by whom; and of the beginning of a message that does not end. */
#include <pjsip.h>
#include <pjsip/sip_transport_tls.h>
#include <stdlib.h>
#include <string.h>

#include "connections.h"
#include "messages.h"

#define CHANGES 4096
#define PING_BYTES 4 /* two empty lines: RFC 5626 §3.5.1 */
#define UNREAD_BYTES 4096

extern void (*pjsip_tls_turned_away)(const pjsip_tls_on_accept_fail_param *); /* dev/pjsua2/patches */

struct connection {
    struct connection *next;
    pjsip_transport *transport;
    tap_send send;        /* the transport's own */
    size_t empty_bytes;   /* of lines since its last message */
    char *unread;         /* the beginning of a message, of */
    size_t unread_bytes;  /* 0: there is none, or it was told of */
    int64_t unread_since_ns;
    struct tap_connection shown;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards all of these; taken before that of messages.c */
static struct connection *connections;
static uint64_t connections_seen;
static struct tap_connection changes[CHANGES];
static uint64_t oldest = 1, newest; /* changes kept: none where oldest > newest */
static tap_send send_through;
static pjsip_tp_state_callback state_before;

static struct connection *known(const pjsip_transport *transport) {
    struct connection *at = connections;
    while (at && at->transport != transport) at = at->next;
    return at;
}

static bool is_connection(const pjsip_transport *transport) {
    return (transport->flag & PJSIP_TRANSPORT_RELIABLE) != 0;
}

/* Puts it in front of its reader. With our lock. */
static void put(const struct tap_connection *shown) {
    if (newest - oldest + 1 >= CHANGES) oldest++;
    changes[++newest % CHANGES] = *shown;
    tap_wake_reader();
}

/* How it stands now. With our lock. */
static void tell(const struct connection *connection) {
    if (is_connection(connection->transport)) put(&connection->shown);
}

static void show_ends(struct connection *connection) {
    struct tap_address local = tap_address_of(&connection->transport->local_addr);
    tap_address_text(&local, connection->shown.local);
    if (!is_connection(connection->transport)) return;
    struct tap_address remote = tap_address_of(&connection->transport->key.rem_addr);
    tap_address_text(&remote, connection->shown.remote);
}

/* From its first message, or its beginning, on, what it sends goes through `send_through`. With our lock. */
static struct connection *begin(pjsip_transport *transport) {
    struct connection *made = calloc(1, sizeof *made);
    if (!made) return NULL;
    struct tap_connection *shown = &made->shown;
    made->transport = transport;
    made->send = transport->send_msg;
    made->next = connections;
    connections = made;
    transport->send_msg = send_through;
    shown->number = ++connections_seen;
    shown->opened_ns = tap_now().monotonic_ns;
    shown->outgoing = transport->dir == PJSIP_TP_DIR_OUTGOING;
    strncpy(shown->protocol, pjsip_transport_get_type_name(transport->key.type & ~PJSIP_TRANSPORT_IPV6),
            sizeof shown->protocol - 1);
    show_ends(made);
    return made;
}

/* A number for what carries a message: its address may be another's tomorrow. 0 for want of memory. */
uint64_t tap_connection_number(pjsip_transport *transport) {
    pthread_mutex_lock(&lock);
    struct connection *found = known(transport);
    if (!found && (found = begin(transport)) != NULL) tell(found);
    uint64_t number = found ? found->shown.number : 0;
    if (found) found->empty_bytes = 0;
    pthread_mutex_unlock(&lock);
    return number;
}

/* What the transport itself sends with; NULL: it has ended. */
tap_send tap_connection_send(const pjsip_transport *transport) {
    pthread_mutex_lock(&lock);
    const struct connection *found = known(transport);
    tap_send send = found ? found->send : NULL;
    pthread_mutex_unlock(&lock);
    return send;
}

/* Lines without anything between two messages of a connection: two of them ask whether we are there, and one says that
 * we are (RFC 5626 §4.4.1). pjsip drops them. */
void tap_connection_empty_lines(pjsip_transport *transport, size_t length) {
    pthread_mutex_lock(&lock);
    struct connection *found = is_connection(transport) ? known(transport) : NULL;
    bool asked = found && found->empty_bytes + length >= PING_BYTES;
    if (found) found->empty_bytes = (found->empty_bytes + length) % PING_BYTES;
    pthread_mutex_unlock(&lock);
    if (!asked) return;
    pjsip_tpselector this_one = {.type = PJSIP_TPSELECTOR_TRANSPORT};
    this_one.u.transport = transport;
    pjsip_tpmgr_send_raw(transport->tpmgr, (pjsip_transport_type_e)transport->key.type, &this_one, NULL, "\r\n", 2,
                         &transport->key.rem_addr, transport->addr_len, NULL, NULL);
}

/* --- halves of messages --- */

static void keep_unread(struct connection *of, const char *text, size_t length) {
    if (!of->unread) of->unread = malloc(UNREAD_BYTES);
    if (!of->unread) return;
    if (!of->unread_since_ns) of->unread_since_ns = tap_now().monotonic_ns;
    of->unread_bytes = length < UNREAD_BYTES ? length : UNREAD_BYTES;
    memcpy(of->unread, text, of->unread_bytes);
}

/* Once for each. With our lock. */
static void tell_unread(struct connection *of) {
    if (of->unread_bytes) tap_sip_unread(of->transport, of->shown.number, of->unread, of->unread_bytes);
    of->unread_bytes = 0;
}

/* What a connection has brought and pjsip has not read yet: it begins with a message. */
static pj_status_t on_data(pjsip_tp_rx_data *read) {
    pj_size_t size;
    bool is_half = pjsip_find_msg(read->data, read->len, PJ_FALSE, &size) == PJSIP_EPARTIALMSG;
    pthread_mutex_lock(&lock);
    struct connection *found = known(read->tp);
    if (found) {
        bool was_told = found->unread_since_ns && !found->unread_bytes;
        found->shown.heard = true;
        if (!is_half) found->unread_bytes = 0, found->unread_since_ns = 0;
        if (is_half && !was_told) keep_unread(found, read->data, read->len);
    }
    pthread_mutex_unlock(&lock);
    return PJ_SUCCESS;
}

/* Tells, as of what pjsip could not read, of messages that began before then and have not come to their end. */
void tap_unread(int64_t since_ns) {
    pthread_mutex_lock(&lock);
    for (struct connection *at = connections; at; at = at->next)
        if (at->unread_since_ns < since_ns) tell_unread(at);
    pthread_mutex_unlock(&lock);
}

/* --- from beginning to end --- */

static void ended(struct tap_connection *shown, int32_t status) {
    if (shown->closed_ns) return;
    shown->closed_ns = tap_now().monotonic_ns;
    shown->status = status;
    shown->ours |= status == PJ_SUCCESS || status == PJ_ECANCELLED;
}

static void change(struct connection *connection, pjsip_transport_state state, const pjsip_transport_state_info *info) {
    struct tap_connection *shown = &connection->shown;
    bool is_secure = (connection->transport->flag & PJSIP_TRANSPORT_SECURE) != 0;
    if (is_secure && info && info->ext_info && !shown->closed_ns) tap_secure_of(info, &shown->secure);
    if (state == PJSIP_TP_STATE_CONNECTED) {
        shown->up_ns = tap_now().monotonic_ns;
        show_ends(connection);
    } else if (state == PJSIP_TP_STATE_DISCONNECTED) {
        ended(shown, info ? info->status : PJ_SUCCESS);
    } else if (state == PJSIP_TP_STATE_SHUTDOWN && !shown->closed_ns) {
        shown->ours = true;
    } else if (state == PJSIP_TP_STATE_DESTROY) {
        ended(shown, PJ_SUCCESS);
    }
}

static void forget(struct connection *gone) {
    struct connection **at = &connections;
    while (*at != gone) at = &(*at)->next;
    *at = gone->next;
    free(gone->unread);
    free(gone);
}

/* pjsip holds locks of its own while it calls this. */
static void on_state(pjsip_transport *transport, pjsip_transport_state state, const pjsip_transport_state_info *info) {
    pthread_mutex_lock(&lock);
    struct connection *found = known(transport);
    if (!found && state == PJSIP_TP_STATE_CONNECTED) found = begin(transport);
    if (found) {
        change(found, state, info);
        tell(found);
        if (found->shown.closed_ns) tell_unread(found);
        if (state == PJSIP_TP_STATE_DESTROY) forget(found);
    }
    pthread_mutex_unlock(&lock);
    if (state_before) state_before(transport, state, info);
}

/* One that came to a listener, and whose handshake failed: pjsip made no transport of it. */
static void on_turned_away(const pjsip_tls_on_accept_fail_param *of) {
    struct tap_connection shown = {.protocol = "TLS", .status = of->status};
    struct tap_address local = tap_address_of(of->local_addr), remote = tap_address_of(of->remote_addr);
    shown.opened_ns = shown.closed_ns = tap_now().monotonic_ns;
    shown.secure.begun = true;
    tap_address_text(&local, shown.local);
    tap_address_text(&remote, shown.remote);
    pthread_mutex_lock(&lock);
    shown.number = ++connections_seen;
    put(&shown);
    pthread_mutex_unlock(&lock);
}

/* The next change of a connection, in their order; 0: none yet. Of more than CHANGES unread ones the first are gone. */
int tap_connection(struct tap_connection *out) {
    pthread_mutex_lock(&lock);
    bool is_there = oldest <= newest;
    if (is_there) *out = changes[oldest++ % CHANGES];
    pthread_mutex_unlock(&lock);
    return is_there;
}

void tap_connections_install(pjsip_endpoint *endpoint, tap_send through) {
    pjsip_tpmgr *manager = pjsip_endpt_get_tpmgr(endpoint);
    send_through = through;
    pjsip_tls_turned_away = &on_turned_away;
    state_before = pjsip_tpmgr_get_state_cb(manager);
    pjsip_tpmgr_set_state_cb(manager, &on_state);
    pjsip_tpmgr_set_recv_data_cb(manager, &on_data);
}
