/* The tap: what crosses the wire of an agent, seen from inside pjsip.
 *
 * media.c   a pjmedia transport adapter: every RTP and RTCP packet of every call, above SRTP; and tap_install
 * sip.c     a pjsip module: every SIP message with the connection that carried it
 * answers.c a pjsip module: answers to requests within a dialog that pjsip has none for
 * call.c    the calls that were asked for, by Call-ID: their streams, their capture
 * audio.c   a WAV file of what was received
 * stream.c  running counters of one RTP stream, with those of agent/rtp/counting.h; no I/O, no clock, no pjsip
 * capture.c a pcap file
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

#define TAP_ADDRESS_TEXT 56 /* "[v6]:port" with its end */
#define TAP_MAX_STREAMS 64  /* per call: more SSRCs than that are no call */
#define TAP_MAX_DIGITS 256  /* per stream: four times what a plan may send */

struct tap_address {
    uint8_t family; /* 4, 6, or 0: not known */
    uint16_t port;
    uint8_t ip[16]; /* network order; IPv4 in the first four */
};

struct tap_time {
    int64_t real_ns, monotonic_ns;
};

struct tap_time tap_now(void);
struct tap_time tap_time_of(int64_t real_ns);
void tap_address_text(const struct tap_address *address, char text[TAP_ADDRESS_TEXT]);

/* --- stream.c --- */

enum tap_codec { TAP_OTHER, TAP_PCMU, TAP_PCMA, TAP_EVENT /* telephone-event */ };

/* What payload types mean in one direction, as the SDP of the side that receives them says. */
struct tap_formats {
    uint32_t clock_hz[128]; /* 0: not negotiated */
    uint8_t codec[128];     /* enum tap_codec */
};

/* ctypes. One named event (RFC 4733): all packets of one timestamp and code, and of the segments that go on from it. */
struct tap_digit {
    int64_t first_ns, last_ns; /* CLOCK_MONOTONIC, of its packets */
    uint32_t timestamp;        /* of its first segment */
    uint32_t segments;         /* after the first, each later by 0xFFFF ticks (§2.5.1.3) */
    uint32_t ticks;            /* of the last one */
    uint32_t clock_hz;
    uint32_t packets, end_packets;
    uint8_t code, payload_type;
    uint8_t volume; /* -dBm0 */
    uint8_t marker; /* of its first packet */
};

/* ctypes. Counters of one RTP stream (one SSRC from one address to another); definitions of agent/trace/model.py. */
struct tap_stream {
    char local[TAP_ADDRESS_TEXT], remote[TAP_ADDRESS_TEXT];
    uint32_t ssrc;
    uint32_t mark; /* how often tap_mark had been called when it began */
    uint8_t sent;
    uint64_t packets;    /* copies included */
    uint64_t bytes;      /* of RTP, headers included */
    uint64_t expected;   /* highest - lowest extended sequence number + 1 */
    uint64_t lost;       /* expected - distinct sequence numbers */
    uint64_t duplicates; /* sequence number seen before */
    uint64_t reordered;  /* lower than one already seen; a copy that comes late is both */
    uint64_t unnegotiated; /* packets whose payload type no SDP had had until then */
    uint64_t jitter_samples;
    double jitter_ms, mean_jitter_ms, max_jitter_ms; /* RFC 3550 A.8, audio packets; meaningless without samples */
    int64_t max_gap_ns;                              /* between two consecutive packets; -1: there was only one */
    int64_t max_late_ns; /* audio behind the grid of its timestamps; -1: no audio of a known clock */
    int64_t first_ns, last_ns;   /* CLOCK_REALTIME */
    int64_t first_monotonic_ns, last_monotonic_ns;
    uint32_t payload_types[128]; /* packets of each */
    uint32_t digit_count;        /* also those for which there was no room */
    struct tap_digit digits[TAP_MAX_DIGITS];
};

struct tap_counter; /* a stream while it is counted */

struct tap_counter *tap_counter_new(bool sent);
bool tap_is_rtp(const uint8_t *packet, size_t length);
size_t tap_payload(const uint8_t *packet, size_t *length);
void tap_count(struct tap_counter *counter, const struct tap_formats *formats, const uint8_t *packet, size_t length,
               int64_t real_ns, int64_t monotonic_ns);
void tap_counter_regrid(struct tap_counter *counter);
struct tap_stream *tap_counter_read(struct tap_counter *counter);
void tap_counter_free(struct tap_counter *counter);

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
void tap_blank_digests(char *message, size_t length);

/* --- audio.c --- */

struct tap_audio; /* a WAV file while it is written */

struct tap_audio *tap_audio_new(const char *path, int *error);
void tap_audio_restart(struct tap_audio *audio);
void tap_audio_add(struct tap_audio *audio, enum tap_codec codec, const uint8_t *packet, size_t length,
                   int64_t monotonic_ns);
int tap_audio_close(struct tap_audio *audio, int64_t until_monotonic_ns);

/* --- call.c --- */

struct tap_call;

/* Where one media line of a call is; guarded by its call. */
struct tap_path {
    struct tap_address local_rtp, local_rtcp, remote_rtp, remote_rtcp;
    struct tap_formats sent, received;
};

struct tap_call *tap_call_find(const char *id, size_t length);
void tap_call_release(struct tap_call *call);
bool tap_call_capture(struct tap_call *call, struct tap_capture *capture);
uint32_t tap_call_sdp(struct tap_call *call);
void tap_call_formats(struct tap_call *call, struct tap_path *path, const struct tap_formats *sent,
                      const struct tap_formats *received);
void tap_call_attached(struct tap_call *call, struct tap_path *path, const struct tap_path *now);
void tap_call_media(struct tap_call *call, const struct tap_path *path, bool sent, bool rtcp,
                    const struct tap_address *remote, int64_t arrived_ns, const void *packet, size_t length);
void tap_call_sip(struct tap_call *call, int64_t real_ns, const struct tap_address *from, const struct tap_address *to,
                  const char *text, size_t length);

/* ctypes, all of these. */
int tap_open(const char *id, const char *path, uint64_t max_bytes);
int tap_record(const char *id, const char *path);
int tap_record_end(const char *id, int64_t until_monotonic_ns);
int tap_mark(const char *id);
int tap_streams(const char *id, struct tap_stream *out, int room, uint64_t *uncounted);
int tap_close(const char *id, struct tap_captured *captured);
int tap_live_calls(void);

/* --- sip.c --- */

/* ctypes. One SIP message as it crossed the wire, or did not. */
struct tap_message {
    uint64_t number;               /* counts up from 1 */
    int64_t real_ns, monotonic_ns; /* received by UDP: when it came to the socket */
    int64_t read_ns;               /* CLOCK_MONOTONIC; when pjsip read it */
    uint64_t connection; /* one per pjsip transport: a UDP socket, a TCP or TLS connection; 0: not known */
    uint64_t missed;     /* messages before it that are gone unread */
    uint32_t length;
    int32_t unsent; /* pj_status_t: it never left; 0: it did */
    uint8_t sent, secure;
    uint8_t sdp;    /* its body is, or has in it, an SDP */
    uint8_t parsed; /* 0: pjsip could not read it, and dropped it */
    char protocol[8]; /* UDP, TCP, TLS */
    char local[TAP_ADDRESS_TEXT], peer[TAP_ADDRESS_TEXT];
};

int tap_message(uint64_t after, struct tap_message *out, char *text, size_t room); /* ctypes */
void tap_wake(int eventfd);                                                        /* ctypes */
bool tap_messages_into(struct tap_call *call, const char *id, struct tap_capture *capture);
struct tap_address tap_address_of(const void *sockaddr);
int tap_sip_install(void);

/* --- answers.c --- */

int tap_answers_install(void);

/* --- media.c --- */

int tap_install(void); /* ctypes */

#endif
