/* Where messages go. pjsip asks here for the addresses of each host that it is about to send to: the proxy of an account,
 * and whatever the SUT names in Contact, Record-Route, or a Via's maddr. Names are looked up in a thread of ours, for 2 s
 * at most, and what was found is kept for the process's life. Nothing goes to an address that is not allowed.
 *
 * A message of a dialog that cannot go where it is to go takes the way back: to where the INVITE, or the answer to it, came
 * from. So the far end has its ACK and its BYE if it or its proxy will have them there; and that they went there is told. */
#include <netdb.h>
#include <pjsip.h>
#include <pjsip_ua.h>
#include <pjsua-lib/pjsua.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "tap.h"

#define NAMES 64
#define NAME_ADDRESSES PJSIP_MAX_RESOLVED_ADDRESSES
#define ANSWER_NS INT64_C(2000000000)
#define POLL_MS 10

struct name {
    char host[256];
    uint8_t family;
    enum { UNUSED, ASKED, FOUND, NOT_FOUND } state;
    int64_t asked_ns;
    unsigned waiting; /* requests */
    unsigned count;
    struct tap_address addresses[NAME_ADDRESSES];
};

/* What pjsip asked for, in the pool of the message that is to be sent. */
struct request {
    pj_timer_entry timer;
    pjsip_tx_data *tdata;
    void *token;
    pjsip_resolver_callback *done;
    pjsip_transport_type_e type; /* IPv4's */
    uint16_t port;
    pj_str_t host;
    struct name *name;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards all of these */
static struct name names[NAMES];
static struct tap_network *allowed;
static int allowed_count = -1; /* all are */

static const pj_str_t hide = {"hide", 4}, way_back = {"way-back", 8}; /* parameters of a route that is on no wire */

/* --- what is allowed --- */

/* From now on nothing is sent beyond these networks. */
void tap_allow(const struct tap_network *networks, int count) {
    struct tap_network *copy = malloc((size_t)count * sizeof *copy + 1);
    if (copy) memcpy(copy, networks, (size_t)count * sizeof *copy);
    pthread_mutex_lock(&lock);
    free(allowed);
    allowed = copy;
    allowed_count = copy ? count : 0;
    pthread_mutex_unlock(&lock);
}

static bool is_in(const struct tap_network *network, const struct tap_address *address) {
    unsigned whole = network->bits / 8, rest = network->bits % 8;
    if (network->family != address->family || memcmp(network->ip, address->ip, whole) != 0) return false;
    return rest == 0 || (network->ip[whole] ^ address->ip[whole]) >> (8 - rest) == 0;
}

static bool is_allowed(const struct tap_address *address) {
    pthread_mutex_lock(&lock);
    bool found = allowed_count < 0;
    for (int i = 0; i < allowed_count && !found; i++) found = is_in(&allowed[i], address);
    pthread_mutex_unlock(&lock);
    return found;
}

/* --- where to --- */

/* The type of transport that a message has to take; 0: any. */
static int type_for(const struct request *request) {
    const pjsip_tpselector *selected = &request->tdata->tp_sel;
    if (selected->type == PJSIP_TPSELECTOR_TRANSPORT) return (int)selected->u.transport->key.type;
    return selected->type == PJSIP_TPSELECTOR_LISTENER ? (int)selected->u.listener->type : 0;
}

static uint8_t family_of(int type) { return type & PJSIP_TRANSPORT_IPV6 ? 6 : 4; }

static bool is_within_reach(const struct request *request, const struct tap_address *address) {
    int type = type_for(request);
    return !type || (address->family == family_of(type) && (int)request->type == (type & ~PJSIP_TRANSPORT_IPV6));
}

static void add(pjsip_server_addresses *to, const struct request *request, const struct tap_address *address) {
    bool v6 = address->family == 6;
    pjsip_server_address_record *entry = &to->entry[to->count++];
    pj_sockaddr_init(v6 ? pj_AF_INET6() : pj_AF_INET(), &entry->addr, NULL, address->port);
    memcpy(pj_sockaddr_get_addr(&entry->addr), address->ip, v6 ? 16 : 4);
    entry->addr_len = (int)pj_sockaddr_get_len(&entry->addr);
    entry->name = request->host;
    entry->type = (pjsip_transport_type_e)(request->type | (v6 ? PJSIP_TRANSPORT_IPV6 : 0));
}

/* Where the dialog's INVITE, or the answer to it, came from; family 0: not known. */
static struct tap_address address_back(const pjsip_tx_data *tdata) {
    const pjsip_cid_hdr *id = tdata->msg ? pjsip_msg_find_hdr(tdata->msg, PJSIP_H_CALL_ID, NULL) : NULL;
    struct tap_call *call = id ? tap_call_find(id->id.ptr, (size_t)id->id.slen) : NULL;
    struct tap_address address = {0};
    if (!call) return address;
    address = tap_call_way_back(call, NULL);
    tap_call_release(call);
    return address;
}

/* It cannot go there: the way back, where there is one. */
static void go_back(struct request *request, enum tap_undirected why) {
    pjsip_server_addresses to = {0};
    struct tap_address address = address_back(request->tdata);
    int type = type_for(request);
    tap_sip_undirected(request->tdata, request->host.ptr, (size_t)request->host.slen, why);
    if (type) request->type = (pjsip_transport_type_e)(type & ~PJSIP_TRANSPORT_IPV6);
    bool leads_back = address.family && is_within_reach(request, &address) && is_allowed(&address);
    if (leads_back) add(&to, request, &address);
    request->done(leads_back ? PJ_SUCCESS : PJ_ERESOLVE, request->token, &to);
}

static void go_to(struct request *request, struct tap_address *addresses, unsigned count) {
    pjsip_server_addresses to = {0};
    bool near = false;
    for (unsigned i = 0; i < count; i++) {
        addresses[i].port = request->port;
        if (!is_within_reach(request, &addresses[i])) continue;
        near = true;
        if (is_allowed(&addresses[i])) add(&to, request, &addresses[i]);
    }
    if (to.count)
        request->done(PJ_SUCCESS, request->token, &to);
    else
        go_back(request, near ? TAP_NOT_ALLOWED : TAP_NO_TRANSPORT);
}

/* --- names --- */

/* Our thread: knows nothing of pjsip. Nobody else touches a name that is asked for. */
static void *ask(void *of) {
    struct name *name = of;
    struct addrinfo wanted = {.ai_family = name->family == 6 ? AF_INET6 : AF_INET, .ai_socktype = SOCK_DGRAM};
    struct addrinfo *found = NULL;
    struct tap_address addresses[NAME_ADDRESSES];
    unsigned count = 0;
    if (getaddrinfo(name->host, NULL, &wanted, &found) == 0)
        for (const struct addrinfo *at = found; at && count < NAME_ADDRESSES; at = at->ai_next)
            addresses[count++] = tap_address_of(at->ai_addr);
    if (found) freeaddrinfo(found);
    pthread_mutex_lock(&lock);
    memcpy(name->addresses, addresses, count * sizeof *addresses);
    name->count = count;
    name->state = count ? FOUND : NOT_FOUND;
    pthread_mutex_unlock(&lock);
    return NULL;
}

/* Asks for a name. Signals are for Python's thread. */
static void begin(struct name *name) {
    pthread_t thread;
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    name->state = ASKED;
    name->asked_ns = tap_now().monotonic_ns;
    if (pthread_create(&thread, NULL, &ask, name) != 0)
        name->state = NOT_FOUND;
    else
        pthread_detach(thread);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* The place of a name, asked for where it was not found before; NULL: too many are being asked for. With our lock. */
static struct name *name_of(const char *host, uint8_t family) {
    struct name *place = NULL;
    for (unsigned i = 0; i < NAMES; i++) {
        struct name *at = &names[i];
        if (at->state != UNUSED && at->family == family && strcmp(at->host, host) == 0) {
            if (at->state == NOT_FOUND && !at->waiting) begin(at);
            return at;
        }
        bool is_free = at->state != ASKED && !at->waiting;
        if (is_free && (!place || at->asked_ns < place->asked_ns)) place = at;
    }
    if (!place) return NULL;
    strcpy(place->host, host);
    place->family = family;
    begin(place);
    return place;
}

static void wait_for(struct request *request) {
    const pj_time_val delay = {0, POLL_MS};
    if (pjsip_endpt_schedule_timer(pjsua_get_pjsip_endpt(), &request->timer, &delay) == PJ_SUCCESS) return;
    pthread_mutex_lock(&lock);
    request->name->waiting--;
    pthread_mutex_unlock(&lock);
    go_back(request, TAP_NO_ANSWER);
}

/* In pjsip's thread, as long as a name is waited for. */
static void look(pj_timer_heap_t *heap, pj_timer_entry *entry) {
    struct request *request = entry->user_data;
    struct tap_address addresses[NAME_ADDRESSES];
    PJ_UNUSED_ARG(heap);
    pthread_mutex_lock(&lock);
    struct name *name = request->name;
    unsigned count = name->state == FOUND ? name->count : 0;
    bool is_asked = name->state == ASKED, is_late = tap_now().monotonic_ns - name->asked_ns > ANSWER_NS;
    memcpy(addresses, name->addresses, count * sizeof *addresses);
    name->waiting -= !is_asked || is_late;
    pthread_mutex_unlock(&lock);
    if (is_asked && !is_late)
        wait_for(request);
    else if (count)
        go_to(request, addresses, count);
    else
        go_back(request, is_asked ? TAP_NO_ANSWER : TAP_NOT_FOUND);
}

static void find(struct request *request) {
    char host[sizeof names->host];
    if (request->host.slen == 0 || request->host.slen >= (pj_ssize_t)sizeof host) {
        go_back(request, TAP_NOT_FOUND);
        return;
    }
    memcpy(host, request->host.ptr, (size_t)request->host.slen);
    host[request->host.slen] = 0;
    pthread_mutex_lock(&lock);
    request->name = name_of(host, family_of(type_for(request)));
    if (request->name) request->name->waiting++;
    pthread_mutex_unlock(&lock);
    pj_timer_entry_init(&request->timer, 0, request, &look);
    if (request->name)
        look(NULL, &request->timer);
    else
        go_back(request, TAP_NO_ANSWER);
}

/* --- the way back --- */

static pjsip_sip_uri *sip_uri_of(const void *uri) {
    const pjsip_uri *any = uri;
    return any && (PJSIP_URI_SCHEME_IS_SIP(any) || PJSIP_URI_SCHEME_IS_SIPS(any)) ? pjsip_uri_get_uri(any) : NULL;
}

/* Whether a dialog begins with this message, or is answered by it: what follows can go where it came from. */
bool tap_leads_back(const void *of) {
    const pjsip_rx_data *rdata = of;
    const pjsip_msg *message = rdata->msg_info.msg;
    if (rdata->msg_info.cseq->method.id != PJSIP_INVITE_METHOD) return false;
    if (message->type == PJSIP_REQUEST_MSG) return rdata->msg_info.to->tag.slen == 0;
    return message->line.status.code > 100 && message->line.status.code < 300;
}

/* Where requests of the dialog go first (RFC 3261 §12.1): NULL: it says nothing of that. */
static const pjsip_uri *first_hop(const pjsip_msg *message) {
    const pjsip_rr_hdr *route = pjsip_msg_find_hdr(message, PJSIP_H_RECORD_ROUTE, NULL), *next = route;
    while (next && message->type == PJSIP_RESPONSE_MSG) {
        route = next;
        next = next->next == (const void *)&message->hdr
                   ? NULL
                   : pjsip_msg_find_hdr(message, PJSIP_H_RECORD_ROUTE, next->next);
    }
    if (route) return (const pjsip_uri *)&route->name_addr;
    const pjsip_contact_hdr *contact = pjsip_msg_find_hdr(message, PJSIP_H_CONTACT, NULL);
    return contact ? contact->uri : NULL;
}

/* RFC 3263 §4.1, of an address; `sips` is TLS, whatever its parameter says of what is below that (RFC 3261 §26.2.2). */
static int type_of_hop(const pjsip_uri *hop, const pjsip_sip_uri *uri) {
    if (PJSIP_URI_SCHEME_IS_SIPS(hop)) return PJSIP_TRANSPORT_TLS;
    return uri->transport_param.slen ? (int)pjsip_transport_get_type_from_name(&uri->transport_param)
                                     : PJSIP_TRANSPORT_UDP;
}

/* Where our transport does not lead (another one, a number), pjsip does not even ask for its address: a route that is on
 * no wire leads the dialog's requests back to where this message came from. */
void tap_route_back(void *of) {
    pjsip_rx_data *rdata = of;
    pjsip_msg *message = rdata->msg_info.msg;
    pj_pool_t *pool = rdata->tp_info.pool; /* until the message has been dealt with; dialogs keep copies */
    int type = rdata->tp_info.transport->key.type & ~PJSIP_TRANSPORT_IPV6;
    const pjsip_uri *hop = tap_leads_back(rdata) ? first_hop(message) : NULL;
    const pjsip_sip_uri *sip = sip_uri_of(hop);
    if (!hop || (sip && type_of_hop(hop, sip) == type)) return;
    pjsip_rr_hdr *route = pjsip_rr_hdr_create(pool);
    pjsip_sip_uri *uri = pjsip_sip_uri_create(pool, PJ_FALSE);
    const pj_str_t *const names_of[] = {&hide, &way_back};
    for (unsigned i = 0; i < PJ_ARRAY_SIZE(names_of); i++) {
        pjsip_param *parameter = PJ_POOL_ZALLOC_T(pool, pjsip_param);
        parameter->name = *names_of[i];
        pj_list_push_back(&uri->other_param, parameter);
    }
    pj_strdup2(pool, &uri->host, rdata->pkt_info.src_name);
    uri->port = rdata->pkt_info.src_port;
    if (type != PJSIP_TRANSPORT_UDP) pj_strdup2(pool, &uri->transport_param, pjsip_transport_get_type_name(type));
    uri->lr_param = 1;
    route->name_addr.uri = (pjsip_uri *)uri;
    if (message->type == PJSIP_RESPONSE_MSG) {
        pj_list_push_back(&message->hdr, route);
    } else {
        pj_list_push_front(&message->hdr, route);
        rdata->msg_info.record_route = route;
    }
}

/* A request that goes back by such a route: tells of the host that it was to go to. */
static void tell_of_route(const struct request *request) {
    const pjsip_msg *message = request->tdata->msg;
    if (!message || message->type != PJSIP_REQUEST_MSG) return;
    const pjsip_route_hdr *route = pjsip_msg_find_hdr(message, PJSIP_H_ROUTE, NULL);
    const pjsip_sip_uri *uri = route ? sip_uri_of(&route->name_addr) : NULL;
    if (!uri || !pjsip_param_cfind(&uri->other_param, &way_back)) return;
    route = route->next == (const void *)&message->hdr ? NULL
                                                       : pjsip_msg_find_hdr(message, PJSIP_H_ROUTE, route->next);
    char text[TAP_TARGET_TEXT];
    const void *target = route ? (const void *)&route->name_addr : message->line.req.uri;
    int length = pjsip_uri_print(PJSIP_URI_IN_REQ_URI, pjsip_uri_get_uri((pjsip_uri *)target), text, sizeof text);
    tap_sip_undirected(request->tdata, text, length > 0 ? (size_t)length : 0, TAP_NO_TRANSPORT);
}

/* --- pjsip's question --- */

static pjsip_transport_type_e type_of(const pjsip_host_info *target) {
    if (target->type != PJSIP_TRANSPORT_UNSPECIFIED) return target->type & ~PJSIP_TRANSPORT_IPV6;
    if (target->flag & PJSIP_TRANSPORT_SECURE) return PJSIP_TRANSPORT_TLS;
    return target->flag & PJSIP_TRANSPORT_RELIABLE ? PJSIP_TRANSPORT_TCP : PJSIP_TRANSPORT_UDP;
}

static bool is_literal(const pj_str_t *host, struct tap_address *address) {
    *address = (struct tap_address){.family = 4};
    if (pj_inet_pton(pj_AF_INET(), host, address->ip) == PJ_SUCCESS) return true;
    address->family = 6;
    return pj_inet_pton(pj_AF_INET6(), host, address->ip) == PJ_SUCCESS;
}

static void resolve(pjsip_resolver_t *resolver, pj_pool_t *pool, const pjsip_host_info *target, void *token,
                    pjsip_resolver_callback *done) {
    struct request *request = PJ_POOL_ZALLOC_T(pool, struct request);
    struct tap_address address;
    PJ_UNUSED_ARG(resolver);
    request->tdata = ((const pjsip_send_state *)token)->tdata;
    request->token = token;
    request->done = done;
    request->type = type_of(target);
    request->port = (uint16_t)(target->addr.port ? target->addr.port
                                                 : pjsip_transport_get_default_port_for_type(request->type));
    pj_strdup(pool, &request->host, &target->addr.host);
    tell_of_route(request);
    if (is_literal(&request->host, &address))
        go_to(request, &address, 1);
    else
        find(request);
}

/* pjsip asks us from now on. A `sips` that we go back with has no TLS. What is not secure in a call of `sips` is for the
 * verdict to say, and not for pjsip to refuse. */
void tap_resolve_install(void *endpoint) {
    static pjsip_ext_resolver ours = {&resolve};
    pjsip_cfg()->endpt.disable_tls_switch = PJ_TRUE;
    pjsip_cfg()->endpt.disable_secure_dlg_check = PJ_TRUE;
    pjsip_endpt_set_ext_resolver(endpoint, &ours);
}
