/* A pcap file of one call: raw IP, ns; SIP, RTP and RTCP as UDP datagrams with their real addresses and ports. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "tap.h"

#define BUFFER_BYTES 65536
#define MAX_PAYLOAD 65487 /* what fits an IPv4 or IPv6 datagram; a longer message came by TCP and is cut */
#define RECORD_BYTES 16
#define UDP_BYTES 8

struct tap_capture {
    FILE *file;
    uint64_t max_bytes;
    struct tap_captured so_far;
};

/* A new file, readable by us alone; NULL with errno in `error`, where it exists already for instance. */
struct tap_capture *tap_capture_new(const char *path, uint64_t max_bytes, int *error) {
    /* https://www.tcpdump.org/manpages/pcap-savefile.5.txt; 101 is LINKTYPE_RAW */
    static const uint32_t header[6] = {0xa1b23c4d, 0x00040002, 0, 0, 262144, 101};
    struct tap_capture *capture = calloc(1, sizeof *capture);
    int fd = capture ? open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600) : -1;
    if (fd >= 0) capture->file = fdopen(fd, "wb");
    if (!capture || !capture->file) {
        *error = errno;
        if (fd >= 0) close(fd);
        free(capture);
        return NULL;
    }
    setvbuf(capture->file, NULL, _IOFBF, BUFFER_BYTES);
    capture->max_bytes = max_bytes;
    fwrite(header, sizeof header, 1, capture->file);
    capture->so_far.bytes = sizeof header;
    return capture;
}

static void put16(uint8_t *at, size_t value) {
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static uint32_t sum16(uint32_t sum, const uint8_t *data, size_t length) {
    for (size_t i = 0; i + 1 < length; i += 2) sum += (uint32_t)(data[i] << 8 | data[i + 1]);
    if (length & 1) sum += (uint32_t)data[length - 1] << 8;
    return sum;
}

static size_t checksum(uint32_t sum) { /* RFC 1071 */
    while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
    return ~sum & 0xffff;
}

/* IP and UDP headers for a datagram; how many bytes they take, 0 for an address of no family. */
static size_t headers(uint8_t *at, const struct tap_address *from, const struct tap_address *to, const uint8_t *payload,
                      size_t length) {
    size_t ip_bytes = from->family == 6 ? 40 : 20, address_bytes = from->family == 6 ? 16 : 4;
    if (from->family != to->family || (from->family != 4 && from->family != 6)) return 0;
    uint8_t *udp = at + ip_bytes, *addresses = udp - 2 * address_bytes;
    memset(at, 0, ip_bytes + UDP_BYTES);
    memcpy(addresses, from->ip, address_bytes);
    memcpy(addresses + address_bytes, to->ip, address_bytes);
    put16(udp, from->port);
    put16(udp + 2, to->port);
    put16(udp + 4, UDP_BYTES + length);
    if (from->family == 4) { /* its UDP checksum may be left out */
        at[0] = 0x45, at[8] = 64, at[9] = IPPROTO_UDP;
        put16(at + 2, ip_bytes + UDP_BYTES + length);
        put16(at + 10, checksum(sum16(0, at, ip_bytes)));
        return ip_bytes + UDP_BYTES;
    }
    at[0] = 0x60, at[6] = IPPROTO_UDP, at[7] = 64;
    put16(at + 4, UDP_BYTES + length);
    uint32_t sum = IPPROTO_UDP + (uint32_t)(UDP_BYTES + length);
    sum = sum16(sum16(sum16(sum, addresses, 2 * address_bytes), udp, UDP_BYTES), payload, length);
    size_t check = checksum(sum);
    put16(udp + 6, check ? check : 0xffff);
    return ip_bytes + UDP_BYTES;
}

void tap_capture_write(struct tap_capture *capture, int64_t real_ns, const struct tap_address *from,
                       const struct tap_address *to, const uint8_t *packet, size_t length) {
    uint8_t head[RECORD_BYTES + 40 + UDP_BYTES];
    size_t kept = length > MAX_PAYLOAD ? MAX_PAYLOAD : length;
    size_t head_bytes = headers(head + RECORD_BYTES, from, to, packet, kept);
    uint64_t bytes = RECORD_BYTES + head_bytes + kept;
    struct tap_captured *so_far = &capture->so_far;
    if (head_bytes == 0 || so_far->error || so_far->bytes + bytes > capture->max_bytes) {
        so_far->left_out++;
        return;
    }
    uint32_t datagram = (uint32_t)(head_bytes + kept);
    uint32_t record[4] = {(uint32_t)(real_ns / 1000000000), (uint32_t)(real_ns % 1000000000), datagram, datagram};
    memcpy(head, record, sizeof record);
    errno = 0;
    if (fwrite_unlocked(head, RECORD_BYTES + head_bytes, 1, capture->file) != 1 ||
        fwrite_unlocked(packet, kept, 1, capture->file) != 1) {
        so_far->error = errno ? errno : EIO;
        so_far->left_out++;
        return;
    }
    so_far->packets++;
    so_far->bytes += bytes;
}

struct tap_captured tap_capture_close(struct tap_capture *capture) {
    struct tap_captured captured = capture->so_far;
    errno = 0;
    if (fclose(capture->file) && !captured.error) captured.error = errno ? errno : EIO;
    free(capture);
    return captured;
}

/* --- secrets --- */

static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

static void blank(char *from, const char *end) {
    for (; from < end; from++)
        if (!is_blank(*from) && *from != '"') *from = 'x';
}

/* Whether a header's name says that it carries a digest. */
static bool is_named(const char *line, size_t name_bytes) {
    static const char *const names[] = {"Authorization", "Proxy-Authorization", "Authentication-Info",
                                        "Proxy-Authentication-Info"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strlen(names[i]) == name_bytes && strncasecmp(line, names[i], name_bytes) == 0) return true;
    return false;
}

/* Blanks the value of each parameter of that name. */
static void blank_parameter(char *at, const char *end, const char *name) {
    size_t size = strlen(name);
    while ((size_t)(end - at) > size) {
        if (strncasecmp(at, name, size) != 0) {
            at++;
            continue;
        }
        for (at += size; at < end && is_blank(*at);) at++;
        if (at == end || *at != '=') continue;
        char *value = at + 1;
        while (value < end && is_blank(*value)) value++;
        char stop = value < end && *value == '"' ? '"' : ',';
        for (at = value + (stop == '"'); at < end && *at != stop;) at++;
        blank(value, at);
    }
}

/* The value of one header, folded lines included. Credentials of another scheme than Digest are blanked as a whole. */
static void blank_value(char *at, const char *end, bool info) {
    while (at < end && is_blank(*at)) at++;
    char *scheme_end = at;
    while (scheme_end < end && !is_blank(*scheme_end)) scheme_end++;
    if (info || (scheme_end - at == 6 && strncasecmp(at, "Digest", 6) == 0)) {
        blank_parameter(at, end, "response");
        blank_parameter(at, end, "rspauth");
    } else {
        blank(scheme_end, end);
    }
}

static bool begins(const char *at, const char *end, const char *text) {
    size_t size = strlen(text);
    return (size_t)(end - at) >= size && strncasecmp(at, text, size) == 0;
}

/* What follows each "inline:" of an a=crypto line (RFC 4568 §9.1), up to its lifetime or the next. */
static void blank_inline(char *at, const char *end) {
    while (at < end) {
        if (!begins(at, end, "inline:")) {
            at++;
            continue;
        }
        char *key = at + strlen("inline:");
        for (at = key; at < end && !is_blank(*at) && *at != '|' && *at != ';';) at++;
        blank(key, at);
    }
}

/* A line, where it is one of an SDP that carries a key (RFC 4567 §3.1, RFC 4566 §5.12 beside that). */
static void blank_key(char *line, const char *end) {
    bool managed = begins(line, end, "a=key-mgmt:");
    if (begins(line, end, "a=crypto:")) blank_inline(line, end);
    if (!managed && !begins(line, end, "k=")) return;
    while (line < end && (managed ? !is_blank(*line) : *line != ':')) line++;
    if (line < end) blank(line + 1, end);
}

/* Overwrites, in a SIP message to be kept, what a password could be guessed from (RFC 3261 §22), and the keys of SRTP.
 * Its length stays. */
void tap_blank_secrets(char *message, size_t length) {
    const char *stop = message + length;
    char *line, *end;
    for (line = message; line < stop && *line != '\r' && *line != '\n'; line = end) {
        for (end = line + 1; end < stop && (end[-1] != '\n' || *end == ' ' || *end == '\t');) end++;
        char *colon = memchr(line, ':', (size_t)(end - line));
        char *name_end = line;
        while (name_end < end && *name_end != ':' && !is_blank(*name_end)) name_end++;
        if (colon && is_named(line, (size_t)(name_end - line)))
            blank_value(colon + 1, end, name_end[-1] == 'o' || name_end[-1] == 'O');
    }
    for (line = message; line < stop; line = end) {
        for (end = line + 1; end < stop && end[-1] != '\n';) end++;
        blank_key(line, end);
    }
}
