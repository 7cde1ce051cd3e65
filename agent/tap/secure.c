/* TLS: whom connections are to lead to, and what became of their handshakes. */
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <pjsip.h>
#include <pjsip/sip_transport_tls.h>
#include <string.h>
#include <time.h>

#include "tap.h"

extern pj_str_t pjsip_tls_server_name; /* dev/pjsua2/patches */
extern pj_bool_t pjsip_tls_anonymous;

/* Of connections that are opened from now on. `server_name`: what their peer's certificate is for, and their SNI says;
 * empty: its address. `anonymous`: they show no certificate. */
void tap_tls(const char *server_name, int anonymous) {
    static char name[256];
    strncpy(name, server_name, sizeof name - 1);
    pjsip_tls_server_name = pj_str(name);
    pjsip_tls_anonymous = anonymous != 0;
}

static void copy(char *to, size_t room, const pj_str_t *text) {
    size_t length = text->slen > 0 ? (size_t)text->slen : 0;
    if (length >= room) length = room - 1;
    memcpy(to, text->ptr, length);
    to[length] = 0;
}

static int64_t posix_s(const ASN1_TIME *at) {
    struct tm broken_down;
    return at && ASN1_TIME_to_tm(at, &broken_down) == 1 ? (int64_t)timegm(&broken_down) : 0;
}

static void certificate(const pj_ssl_cert_info *from, struct tap_secure *out) {
    size_t used = 0;
    copy(out->subject, sizeof out->subject, &from->subject.info);
    copy(out->issuer, sizeof out->issuer, &from->issuer.info);
    for (unsigned i = 0; i < from->subj_alt_name.cnt; i++) {
        const pj_str_t *name = &from->subj_alt_name.entry[i].name;
        if (name->slen <= 0 || used + (size_t)name->slen + 2 > sizeof out->names) continue;
        if (used) out->names[used++] = ' ';
        for (pj_ssize_t at = 0; at < name->slen; at++) out->names[used++] = name->ptr[at] ? name->ptr[at] : '?';
    }
    out->names[used] = 0;
}

static void handshake(SSL *ssl, struct tap_secure *out) {
    const uint8_t *types;
    const X509 *peer = SSL_get0_peer_certificate(ssl);
    out->begun = 1;
    out->asked |= !SSL_is_server(ssl) && (SSL_get0_certificate_types(ssl, &types) > 0 || SSL_get0_peer_CA_list(ssl));
    if (peer) {
        out->not_before_s = posix_s(X509_get0_notBefore(peer));
        out->not_after_s = posix_s(X509_get0_notAfter(peer));
    }
    if (!SSL_is_init_finished(ssl) || !SSL_get_current_cipher(ssl)) return;
    strncpy(out->version, SSL_get_version(ssl), sizeof out->version - 1);
    strncpy(out->cipher, SSL_get_cipher_name(ssl), sizeof out->cipher - 1);
}

/* As a state of a secure transport tells of it. */
void tap_secure_of(const void *state_info, struct tap_secure *out) {
    const pjsip_tls_state_info *info = ((const pjsip_transport_state_info *)state_info)->ext_info;
    const pj_ssl_sock_info *from = info->ssl_sock_info;
    if (!from) return;
    out->faults = from->verify_status;
    if (from->remote_cert_info && from->remote_cert_info->version) certificate(from->remote_cert_info, out);
    if (from->native_ssl) handshake(from->native_ssl, out);
}
