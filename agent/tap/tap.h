/* The tap: what crosses the wire of an agent, seen from inside pjsip. From the doors down, each knows those below it:
 *
 * tap.c     the doors: what Python asks of a call, by its Call-ID
 * media.c   a pjmedia transport adapter around SRTP: what of a call's media is heard and said
 * below.c   below SRTP, at the socket: every packet of every call, as it is on the wire
 * sip.c     a pjsip module: every SIP message with the connection that carried it
 * connections.c those connections, from their beginning to their end
 * resolve.c where they go: names, the addresses that are allowed, and the way back for what cannot go elsewhere
 * messages.c the last SIP messages
 * answers.c a pjsip module: answers to requests within a dialog that pjsip has none for
 * call.c    the calls that were asked for, by Call-ID: their capture, their recordings, what SRTP is to be in them
 * packets.c what crosses the wire of a call: its streams
 * guard.c   what SRTP came to in a call, its DTLS included
 * audio.c   WAV files of what was received, one for each address that sent it
 * stream.c  running counters of one RTP stream, with those of agent/rtp; no I/O, no clock, no pjsip
 * dtls.c    DTLS records: what of them is not enciphered; no pjsip
 * capture.c a pcap file
 * clock.c   both clocks at one moment; addresses as text
 *
 * Functions and structures marked "ctypes" are read by agent/tap/__init__.py: change both.
 * Times are ns: CLOCK_REALTIME where they are kept, CLOCK_MONOTONIC where they are compared.
 */
#ifndef CALLTEST_TAP_H
#define CALLTEST_TAP_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "events.h"
#include "header.h"
#include "media_time.h"

#define TAP_ADDRESS_TEXT 56 /* "[v6]:port" with its end */
#define TAP_TARGET_TEXT 128
#define TAP_MAX_ROWS 64     /* per call: streams, in the epochs in which they had packets */
#define TAP_PEER_ROWS 16    /* of these, kept for the host that was negotiated with: a stranger's flood leaves them */
#define TAP_MAX_DIGITS 256  /* per stream: four times what a plan may send */
#define TAP_MAX_GAPS 64     /* per row */
#define TAP_MAX_AUDIOS 4    /* per call: addresses that are recorded; the last is kept for that host */
#define TAP_MAX_GUARDS 16   /* per call: epochs in which SRTP or DTLS did something */
#define TAP_SUITE_TEXT 32
#define TAP_MAX_SUITES 8

struct tap_address {
    uint8_t family; /* 4, 6, or 0: not known */
    uint16_t port;
    uint8_t ip[16]; /* network order; IPv4 in the first four */
};

struct tap_time {
    int64_t real_ns, monotonic_ns;
};

/* --- clock.c --- */

struct tap_time tap_now(void);
struct tap_time tap_time_of(int64_t real_ns);
void tap_address_text(const struct tap_address *address, char text[TAP_ADDRESS_TEXT]);
bool tap_same_host(const struct tap_address *a, const struct tap_address *b);
bool tap_same_address(const struct tap_address *a, const struct tap_address *b);

/* --- stream.c --- */

enum tap_codec {
    TAP_OTHER,
    TAP_EVENT, /* telephone-event */
    TAP_NOISE, /* CN: RFC 3389 */
    /* What can be heard: tap_decoder_new. */
    TAP_PCMU,
    TAP_PCMA,
    TAP_G722,
    TAP_GSM,
    TAP_SPEEX,
    TAP_L16,
    TAP_OPUS,
    TAP_G729
};

/* What payload types mean in one direction, as the SDP of the side that receives them says. */
struct tap_formats {
    uint32_t clock_hz[128]; /* 0: not negotiated */
    uint8_t codec[128];     /* enum tap_codec */
};

/* ctypes. What SRTP made of an RTP packet; sent, it is one of the first two. */
enum tap_fate {
    TAP_PLAIN,       /* its payload was on the wire as it is */
    TAP_PASSED,      /* enciphered; or authenticated and deciphered */
    TAP_UNAUTHENTIC, /* its authentication failed */
    TAP_REPLAYED,    /* it came before, or is too old to tell */
    TAP_KEYLESS,     /* there are no keys */
    TAP_FAILED,      /* dropped for another reason */
    TAP_FATES
};

/* ctypes. What one RTP stream (one SSRC from one address to another) had in one epoch; definitions of agent/tap/model.py.
 * What is added up may be below 0, where a packet makes good for one of an epoch before. */
struct tap_stream {
    char local[TAP_ADDRESS_TEXT], remote[TAP_ADDRESS_TEXT];
    uint32_t ssrc;
    uint32_t mark;              /* how often tap_mark had been called when it began */
    uint32_t epoch, last_epoch; /* of the call: tap_call_sdp; the second is later where there was no room for rows */
    int32_t audio;              /* which recording has it; -1: none */
    uint8_t sent;
    int64_t packets; /* copies included */
    int64_t bytes;   /* of (S)RTP, headers included */
    int64_t fates[TAP_FATES]; /* packets of each */
    int64_t expected, lost, duplicates, reordered, restarts;
    int64_t unnegotiated;        /* packets whose payload type no SDP had had until then, with a payload */
    int64_t empty, noise;        /* without a payload; comfort noise */
    int64_t timed;               /* audio of a known clock */
    int64_t jitter_samples;
    struct rtp_time time;
    double jitter_ms, mean_jitter_ms, max_jitter_ms; /* RFC 3550 A.8, audio packets; meaningless without samples */
    int64_t max_gap_ns;          /* between two consecutive packets of the row; -1: there was only one */
    int64_t max_late_ns;         /* audio behind the grid of its timestamps; -1: no audio of a known clock */
    int64_t first_ns, last_ns;   /* CLOCK_REALTIME */
    int64_t first_monotonic_ns, last_monotonic_ns;
    uint32_t payload_types[128]; /* packets of each */
    uint32_t gap_count;          /* also those for which there was no room */
    uint32_t refused_events;     /* packets of events for which there was no room */
    uint32_t digit_count;
    struct rtp_gap gaps[TAP_MAX_GAPS];
    struct rtp_event digits[TAP_MAX_DIGITS]; /* that began in this row; CLOCK_MONOTONIC */
};

struct tap_counter; /* a stream while it is counted */
struct tap_row;     /* one epoch of it */

struct tap_counter *tap_counter_new(bool sent);
void tap_counter_regrid(struct tap_counter *counter);
void tap_counter_free(struct tap_counter *counter); /* and its rows */
struct tap_row *tap_row_new(struct tap_counter *counter, uint32_t epoch, int32_t number);
uint32_t tap_row_epoch(const struct tap_row *row);
void tap_row_last(struct tap_row *row, uint32_t epoch);
bool tap_rtp(const uint8_t *packet, size_t length, struct rtp_header *header);

/* An RTP packet to be counted. */
struct tap_counted {
    struct rtp_header header;
    const uint8_t *bytes; /* it, in the clear; NULL: its payload is not known, and its length is that of the wire */
    size_t wire_bytes;
    enum tap_fate fate;
    struct tap_time at;
};

void tap_count(struct tap_counter *counter, const struct tap_formats *formats, const struct tap_counted *packet);
void tap_row_read(const struct tap_counter *counter, const struct tap_row *row, struct tap_stream *out);

/* --- capture.c --- */

/* ctypes. What became of a capture. */
struct tap_captured {
    uint64_t packets, bytes;
    uint64_t left_out; /* packets for which there was no room, or that could not be written */
    int32_t error;     /* errno; 0: none */
};

struct tap_capture; /* a pcap file: raw IP, ns */

struct tap_capture *tap_capture_new(const char *path, uint64_t max_bytes, int *error);
void tap_capture_write(struct tap_capture *capture, int64_t real_ns, const struct tap_address *from,
                       const struct tap_address *to, const uint8_t *packet, size_t length);
struct tap_captured tap_capture_close(struct tap_capture *capture);
void tap_blank_secrets(char *message, size_t length);

/* --- decode.c --- */

#define TAP_MAX_SAMPLES 4000 /* of one packet: half a second */

struct tap_decoder;

struct tap_decoder *tap_decoder_new(enum tap_codec codec);
size_t tap_decode(struct tap_decoder *decoder, const uint8_t *coded, size_t length, int16_t out[TAP_MAX_SAMPLES]);
void tap_decoder_free(struct tap_decoder *decoder);

/* --- audio.c --- */

struct tap_audio; /* a WAV file while it is written */

struct tap_audio *tap_audio_new(const char *path, int64_t began_ns, int *error);
void tap_audio_restart(struct tap_audio *audio, int64_t began_ns);
void tap_audio_add(struct tap_audio *audio, const struct tap_formats *formats, const struct rtp_header *packet,
                   const uint8_t *bytes, int64_t monotonic_ns);
int tap_audio_close(struct tap_audio *audio, int64_t until_monotonic_ns);

/* --- call.c, packets.c, guard.c --- */

struct tap_call;

/* Where one media line of a call is; guarded by its call. */
struct tap_path {
    struct tap_address local_rtp, local_rtcp, remote_rtp, remote_rtcp;
    struct tap_formats sent, received;
    uint32_t answering; /* the epoch that an answer of ours which is being made will begin */
    uint64_t told;      /* the ticket of what SRTP was told to be */
};

/* ctypes. What a call has beside its streams. */
struct tap_told {
    uint32_t epoch;     /* SDPs so far */
    uint32_t rows;      /* of streams */
    uint64_t uncounted; /* packets of streams for which there was no room, to or from the host that was negotiated with */
    uint64_t strangers; /* the same, from others */
    uint64_t other;     /* packets to or from the RTP port that are neither RTP nor DTLS */
};

enum tap_keying { TAP_NO_KEYS, TAP_SDES, TAP_DTLS };

/* ctypes. What SRTP is to be in a call, as pjmedia has it; suites by their names. */
struct tap_srtp {
    uint8_t told; /* 0: as the account has it */
    uint8_t use;  /* pjmedia_srtp_use */
    uint8_t keying_count, suite_count;
    uint8_t keyings[2]; /* enum tap_keying; the first is offered */
    char suites[TAP_MAX_SUITES][TAP_SUITE_TEXT];
};

/* What it is at a moment. */
struct tap_keys {
    uint64_t ticket; /* of who asked, drawn before: what a later one was told is newer */
    bool active;
    enum tap_keying keying;
    char sent_suite[TAP_SUITE_TEXT], received_suite[TAP_SUITE_TEXT];
};

/* ctypes. What it came to in one epoch; the DTLS of RTP's own port. */
struct tap_guard {
    int64_t keyed_ns;     /* CLOCK_MONOTONIC; when keys came into use; 0: none did in this epoch */
    uint32_t epoch;
    uint32_t dtls_sent, dtls_received;     /* datagrams */
    uint32_t hellos_sent, hellos_received; /* ClientHellos */
    int32_t status;       /* a pj_status_t: why the handshake failed; 0: it did not */
    uint8_t active;       /* there are keys, and what is sent is enciphered */
    uint8_t keying;       /* enum tap_keying */
    uint8_t done;         /* the handshake came to an end, good or bad */
    uint8_t alert, alerted, alert_sent; /* the first fatal one, whether there was any, and whose it was */
    char sent_suite[TAP_SUITE_TEXT], received_suite[TAP_SUITE_TEXT];
};

/* One packet of a call's media on its way between SRTP and the wire. */
struct tap_crossing {
    bool sent, rtcp;
    const struct tap_address *remote; /* NULL: where the path says */
    int64_t arrived_ns;               /* CLOCK_REALTIME; 0: now */
    const uint8_t *wire, *clear;      /* `clear` NULL: SRTP did not let it through */
    size_t wire_bytes, clear_bytes;
    enum tap_fate fate;
};

/* ctypes. One recording. */
struct tap_recorded {
    char remote[TAP_ADDRESS_TEXT]; /* whom it is of; empty: nobody, its file is empty */
    int32_t error;                 /* errno; 0: it is whole */
};

struct tap_call *tap_call_open(const char *id);
struct tap_call *tap_call_find(const char *id, size_t length);
void tap_call_release(struct tap_call *call);
int tap_call_close(const char *id, struct tap_captured *captured);
int tap_call_count(void);
bool tap_call_capture(struct tap_call *call, struct tap_capture *capture);
int tap_call_record(struct tap_call *call, const char *path);
int tap_call_record_end(struct tap_call *call, int64_t until_monotonic_ns, struct tap_recorded out[TAP_MAX_AUDIOS]);
void tap_call_mark(struct tap_call *call);
void tap_call_sdp(struct tap_call *call);
struct tap_address tap_call_way_back(struct tap_call *call, const struct tap_address *peer);
int tap_call_rows(struct tap_call *call, struct tap_stream *out, int room, struct tap_told *told);
void tap_call_formats(struct tap_call *call, struct tap_path *path, const struct tap_formats *sent,
                      const struct tap_formats *received);
void tap_call_attached(struct tap_call *call, struct tap_path *path, const struct tap_path *now);
void tap_call_media(struct tap_call *call, const struct tap_path *path, const struct tap_crossing *packet);
void tap_call_srtp(struct tap_call *call, const struct tap_srtp *wanted, struct tap_srtp *known);
void tap_call_answering(struct tap_call *call, struct tap_path *path);
void tap_call_keys(struct tap_call *call, struct tap_path *path, const struct tap_keys *now);
void tap_call_dtls_end(struct tap_call *call, const struct tap_path *path, int32_t status);
int tap_call_guards(struct tap_call *call, struct tap_guard *out, int room);
void tap_call_sip(struct tap_call *call, int64_t real_ns, const struct tap_address *from, const struct tap_address *to,
                  const char *text, size_t length);

/* --- dtls.c --- */

/* What a datagram of DTLS says in the clear. */
struct tap_dtls {
    bool hello;   /* it begins a handshake: ClientHello */
    bool alerted; /* a fatal alert is in it */
    uint8_t alert;
};

bool tap_is_dtls(const uint8_t *packet, size_t length);
struct tap_dtls tap_dtls_read(const uint8_t *packet, size_t length);

/* --- messages.c --- */

/* Why a message cannot go where it is to go. */
enum tap_undirected {
    TAP_NOT_ALLOWED = -1,
    TAP_NOT_FOUND = -2,    /* no such name */
    TAP_NO_ANSWER = -3,    /* to the question for it, in time */
    TAP_NO_TRANSPORT = -4, /* of ours leads there */
};

/* ctypes. One SIP message as it crossed the wire, or did not. */
struct tap_message {
    uint64_t number;               /* counts up from 1 */
    int64_t real_ns, monotonic_ns; /* received by UDP: when it came to the socket */
    int64_t read_ns;               /* CLOCK_MONOTONIC; when pjsip read it */
    uint64_t connection; /* one per pjsip transport: a UDP socket, a TCP or TLS connection; 0: not known */
    uint64_t missed;     /* messages before it that are gone unread */
    uint32_t length;
    int32_t unsent; /* a pj_status_t: it never left; enum tap_undirected: not there; 0: it left */
    uint8_t sent, secure;
    uint8_t sdp;    /* its body is, or has in it, an SDP */
    uint8_t parsed; /* 0: pjsip could not read it, and dropped it */
    char protocol[8]; /* UDP, TCP, TLS */
    char local[TAP_ADDRESS_TEXT], peer[TAP_ADDRESS_TEXT];
    char target[TAP_TARGET_TEXT]; /* where it was to go, as the SUT named it; empty: pjsip itself failed */
};

int tap_message(uint64_t after, struct tap_message *out, char *text, size_t room); /* ctypes */
void tap_wake(int eventfd);                                                        /* ctypes */
bool tap_sip_replay(struct tap_call *call, const char *id, struct tap_capture *capture);

/* --- connections.c --- */

/* ctypes. What TLS came to; empty or 0: not known. */
struct tap_secure {
    int64_t not_before_s, not_after_s; /* of the peer's certificate, POSIX */
    uint32_t faults;                   /* that verification found in it: PJ_SSL_CERT_E… */
    uint8_t begun;                     /* the handshake: there was a connection to have it on */
    uint8_t asked;                     /* the peer wanted a certificate of ours */
    char version[16], cipher[64];      /* that were agreed */
    char subject[128], issuer[128];    /* of the peer's certificate */
    char names[512];                   /* those that it is for, apart by blanks */
};

/* ctypes. A TCP or TLS connection as it stands; ns of CLOCK_MONOTONIC, 0: not yet. */
struct tap_connection {
    uint64_t number; /* that of its messages */
    int64_t opened_ns, up_ns, closed_ns;
    int32_t status; /* of its end: a pj_status_t */
    uint8_t outgoing; /* we opened it */
    uint8_t ours;     /* we closed it, or are about to */
    uint8_t heard;    /* something came by it */
    char protocol[8]; /* TCP, TLS */
    char local[TAP_ADDRESS_TEXT], remote[TAP_ADDRESS_TEXT];
    struct tap_secure secure;
};

int tap_connection(struct tap_connection *out); /* ctypes */
void tap_unread(int64_t since_ns);              /* ctypes */

/* --- secure.c --- */

void tap_tls(const char *server_name, int anonymous); /* ctypes */
void tap_secure_of(const void *state_info, struct tap_secure *out);

/* --- sip.c --- */

struct tap_address tap_address_of(const void *sockaddr);
void tap_sip_unread(void *transport, uint64_t connection, const char *text, size_t length);
void tap_sip_undirected(void *tdata, const char *target, size_t length, enum tap_undirected why);
int tap_sip_install(void);

/* --- resolve.c --- */

/* ctypes. Addresses that begin with these bits. */
struct tap_network {
    uint8_t family, bits, ip[16];
};

void tap_allow(const struct tap_network *networks, int count); /* ctypes */
bool tap_leads_back(const void *rdata);
void tap_route_back(void *rdata);
void tap_resolve_install(void *endpoint);

/* --- answers.c --- */

int tap_answers_install(void);

/* --- media.c --- */

void tap_media_install(void);

/* --- tap.c: ctypes, all of these --- */

int tap_install(void);
int tap_open(const char *id, const char *path, uint64_t max_bytes);
int tap_record(const char *id, const char *path);
int tap_record_end(const char *id, int64_t until_monotonic_ns, struct tap_recorded out[TAP_MAX_AUDIOS]);
int tap_mark(const char *id);
int tap_streams(const char *id, struct tap_stream *out, int room, struct tap_told *told);
int tap_guards(const char *id, struct tap_guard *out, int room);
int tap_srtp(const char *id, const struct tap_srtp *wanted);
int tap_close(const char *id, struct tap_captured *captured);
int tap_live_calls(void);

#endif
