/* Answers to requests within a dialog of ours that pjsip has none for, and would refuse with a 500: a path that keeps its
 * dialogs alive by OPTIONS, or sends digits by INFO, must not find a broken phone. They come before the dialog layer,
 * leave its state alone, and are stateless: a retransmission gets the same answer again. */
#include <pjsip.h>
#include <pjsip_ua.h>
#include <pjsua-lib/pjsua.h>
#include <string.h>

#include "tap.h"

struct answer {
    int code;
    const char *phrase;             /* NULL: pjsip knows it */
    int capabilities[2];            /* headers of ours that go with it; 0: none */
    const char *header, *value;     /* one more; NULL: none */
};

static const struct answer options = {200, NULL, {PJSIP_H_ALLOW, PJSIP_H_ACCEPT}, NULL, NULL}; /* RFC 3261 §11.2 */
static const struct answer taken = {200, NULL, {0, 0}, NULL, NULL};
static const struct answer bad_package = {469, "Bad Info Package", {0, 0}, "Recv-Info", ""}; /* RFC 6086 §4.2.2 */
static const struct answer bad_type = {415, NULL, {0, 0}, "Accept", "application/dtmf, application/dtmf-relay"};
static const struct answer no_subscription = {481, "Subscription does not exist", {0, 0}, NULL, NULL}; /* RFC 6665 */
static const struct answer bad_method = {405, NULL, {PJSIP_H_ALLOW, 0}, NULL, NULL}; /* RFC 3261 §8.2.1 */

static const struct answer *to_info(const pjsip_msg *message) {
    static const pj_str_t package = {"Info-Package", 12};
    const pjsip_msg_body *body = message->body;
    if (pjsip_msg_find_hdr_by_name(message, &package, NULL)) return &bad_package;
    if (!body || !body->len) return &taken; /* RFC 2976 §2.2 */
    const pjsip_media_type *type = &body->content_type;
    bool digits = pj_stricmp2(&type->type, "application") == 0 &&
                  (pj_stricmp2(&type->subtype, "dtmf") == 0 || pj_stricmp2(&type->subtype, "dtmf-relay") == 0);
    return digits ? &taken : &bad_type;
}

/* NULL: pjsip's own business. */
static const struct answer *answer_to(const pjsip_msg *message) {
    static const char *const pjsips[] = {"INVITE", "ACK",   "BYE",       "CANCEL",  "PRACK",
                                         "UPDATE", "REFER", "SUBSCRIBE", "MESSAGE", "REGISTER"};
    const pj_str_t *method = &message->line.req.method.name;
    for (unsigned i = 0; i < PJ_ARRAY_SIZE(pjsips); i++)
        if (pj_strcmp2(method, pjsips[i]) == 0) return NULL;
    if (pj_strcmp2(method, "OPTIONS") == 0) return &options;
    if (pj_strcmp2(method, "INFO") == 0) return to_info(message);
    return pj_strcmp2(method, "NOTIFY") == 0 ? &no_subscription : &bad_method;
}

/* A dialog with just these tags (RFC 3261 §12.2.2): the others get pjsip's 481. */
static bool is_ours(const pjsip_rx_data *rdata) {
    const pj_str_t *to = &rdata->msg_info.to->tag, *from = &rdata->msg_info.from->tag;
    return to->slen && pjsip_ua_find_dialog(&rdata->msg_info.cid->id, to, from, PJ_FALSE);
}

static pj_bool_t on_request(pjsip_rx_data *rdata) {
    const struct answer *answer = answer_to(rdata->msg_info.msg);
    if (!answer || !is_ours(rdata)) return PJ_FALSE;
    pjsip_endpoint *endpoint = pjsua_get_pjsip_endpt();
    pj_pool_t *pool = rdata->tp_info.pool; /* until the message has been dealt with */
    pjsip_hdr headers;
    pj_str_t phrase = pj_str((char *)(answer->phrase ? answer->phrase : ""));
    pj_list_init(&headers);
    for (unsigned i = 0; i < PJ_ARRAY_SIZE(answer->capabilities); i++) {
        const pjsip_hdr *capability = answer->capabilities[i]
                                          ? pjsip_endpt_get_capability(endpoint, answer->capabilities[i], NULL)
                                          : NULL;
        if (capability) pj_list_push_back(&headers, pjsip_hdr_clone(pool, capability));
    }
    if (answer->header) {
        pj_str_t name = pj_str((char *)answer->header), value = pj_str((char *)answer->value);
        pj_list_push_back(&headers, pjsip_generic_string_hdr_create(pool, &name, &value));
    }
    pjsip_endpt_respond_stateless(endpoint, rdata, answer->code, answer->phrase ? &phrase : NULL, &headers, NULL);
    return PJ_TRUE;
}

/* Behind the transactions, before the dialogs. */
static pjsip_module module = {.name = {"mod-calltest-answers", 20},
                              .priority = PJSIP_MOD_PRIORITY_UA_PROXY_LAYER - 1,
                              .on_rx_request = &on_request};

int tap_answers_install(void) {
    module.id = -1;
    return pjsip_endpt_register_module(pjsua_get_pjsip_endpt(), &module);
}
