/* The floor: what one core needs for the same numbers when nothing stands between it and the bytes.
 * usage: floor FILE   pcap (µs, this machine's byte order), Ethernet, IPv4, UDP; one line per stream on stdout:
 * src sport dst dport ssrc packets expected lost duplicates reordered jitterMs maxJitterMs maxDeltaMs digits */
#include <fcntl.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SLOTS 65536
#define SPAN 65536 /* sequence numbers remembered per stream, around the highest */
#define OPEN 8

typedef struct { uint32_t stamp, code, ticks, packets, ends; } Digit;

typedef struct {
    uint32_t src, dst, ports, ssrc;
    int used;
    int64_t packets, unique, duplicates, reordered, last, highest, lowest, last_us, max_delta_us, audio_us;
    uint32_t audio_stamp;
    int has_audio;
    double jitter, max_jitter;
    uint64_t *seen;
    Digit open[OPEN];
    int next, digits;
    int64_t digit_ticks, digit_packets, digit_ends;
} Stream;

static Stream *table;

static uint16_t be16(const uint8_t *p) { return (uint16_t)(p[0] << 8 | p[1]); }
static uint32_t be32(const uint8_t *p) { uint32_t v; memcpy(&v, p, 4); return __builtin_bswap32(v); }
static uint32_t le32(const uint8_t *p) { uint32_t v; memcpy(&v, p, 4); return v; }

static Stream *find(uint32_t src, uint32_t dst, uint32_t ports, uint32_t ssrc) {
    uint64_t h = ((uint64_t)src << 32 | dst) * 0x9E3779B97F4A7C15u ^ ((uint64_t)ports << 32 | ssrc) * 0xC2B2AE3D27D4EB4Fu;
    for (uint32_t slot = (uint32_t)(h >> 48);; slot = (slot + 1) % SLOTS) {
        Stream *s = &table[slot];
        if (!s->used) {
            s->used = 1, s->src = src, s->dst = dst, s->ports = ports, s->ssrc = ssrc;
            return s;
        }
        if (s->ssrc == ssrc && s->src == src && s->dst == dst && s->ports == ports) return s;
    }
}

static void close_digit(Stream *s, Digit *d) {
    if (!d->packets) return;
    s->digits++, s->digit_ticks += d->ticks, s->digit_packets += d->packets, s->digit_ends += d->ends;
    memset(d, 0, sizeof *d);
}

static void event(Stream *s, uint32_t stamp, const uint8_t *p) {
    Digit *d = NULL;
    for (int i = 0; i < OPEN; i++)
        if (s->open[i].packets && s->open[i].stamp == stamp && s->open[i].code == p[0]) d = &s->open[i];
    if (!d) {
        d = &s->open[s->next], s->next = (s->next + 1) % OPEN;
        close_digit(s, d);
        d->stamp = stamp, d->code = p[0];
    }
    uint32_t ticks = be16(p + 2);
    if (ticks > d->ticks) d->ticks = ticks;
    d->packets++, d->ends += p[1] >> 7;
}

static void packet(Stream *s, int64_t us, const uint8_t *rtp, uint32_t length) {
    uint16_t seq = be16(rtp + 2);
    uint32_t stamp = be32(rtp + 4);
    int type = rtp[1] & 127;
    if (!s->packets) {
        s->last = s->highest = s->lowest = seq;
        s->seen = calloc(SPAN / 64, 8);
        s->last_us = us;
    }
    int64_t number = s->last + (int16_t)(seq - (uint16_t)s->last);
    s->last = number;
    int late = number < s->highest;
    if (number < s->lowest) s->lowest = number;
    for (; s->highest < number; s->highest++) {
        uint64_t ahead = (uint64_t)(s->highest + 1 + SPAN / 2) % SPAN;
        s->seen[ahead / 64] &= ~(1ull << ahead % 64);
    }
    uint64_t at = (uint64_t)number % SPAN;
    if (s->seen[at / 64] >> at % 64 & 1)
        s->duplicates++;
    else if (late) /* RFC 4737: a copy is not */
        s->reordered++;
    s->seen[at / 64] |= 1ull << at % 64;
    s->packets++;
    if (us - s->last_us > s->max_delta_us) s->max_delta_us = us - s->last_us;
    s->last_us = us;
    if (type == 101 && length == 16) { event(s, stamp, rtp + 12); return; }
    if (s->has_audio) {
        double d = fabs((double)(us - s->audio_us) / 1000 - (double)(int32_t)(stamp - s->audio_stamp) / 8);
        s->jitter += (d - s->jitter) / 16;
        if (s->jitter > s->max_jitter) s->max_jitter = s->jitter;
    }
    s->has_audio = 1, s->audio_us = us, s->audio_stamp = stamp;
}

int main(int argc, char **argv) {
    struct stat st;
    int fd = argc == 2 ? open(argv[1], O_RDONLY) : -1;
    if (fd < 0 || fstat(fd, &st)) { fprintf(stderr, "usage: floor FILE\n"); return 2; }
    const uint8_t *data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0), *end = data + st.st_size;
    table = calloc(SLOTS, sizeof *table);
    if (data == MAP_FAILED || !table || st.st_size < 24 || le32(data) != 0xA1B2C3D4) { fprintf(stderr, "no pcap\n"); return 2; }
    for (const uint8_t *r = data + 24; r + 16 <= end;) {
        uint32_t captured = le32(r + 8);
        const uint8_t *p = r + 16, *ip = p + 14;
        if (captured > (uint64_t)(end - p)) break;
        r = p + captured;
        if (captured < 54 || be16(p + 12) != 0x0800 || ip[0] != 0x45 || ip[9] != 17 || be16(ip + 6) & 0x3FFF) continue;
        const uint8_t *udp = ip + 20, *rtp = udp + 8;
        uint32_t length = be16(udp + 4) - 8u;
        if (rtp[0] >> 6 != 2 || ((rtp[1] & 127) >= 64 && (rtp[1] & 127) < 96) || be16(udp) < 1024 || be16(udp + 2) < 1024) continue;
        Stream *s = find(le32(ip + 12), le32(ip + 16), le32(udp), be32(rtp + 8));
        packet(s, (int64_t)le32(p - 16) * 1000000 + le32(p - 12), rtp, length);
    }
    for (Stream *s = table; s < table + SLOTS; s++) {
        if (s->packets < 2) continue;
        for (int i = 0; i < OPEN; i++) close_digit(s, &s->open[i]);
        const uint8_t *a = (uint8_t *)&s->src, *b = (uint8_t *)&s->dst, *c = (uint8_t *)&s->ports;
        int64_t expected = s->highest - s->lowest + 1;
        printf("%d.%d.%d.%d:%d %d.%d.%d.%d:%d 0x%08x %lld %lld %lld %lld %lld %.6f %.6f %.3f %d %lld %lld %lld\n", a[0], a[1], a[2], a[3],
               be16(c), b[0], b[1], b[2], b[3], be16(c + 2), s->ssrc, (long long)s->packets, (long long)expected,
               (long long)(expected - (s->packets - s->duplicates)), (long long)s->duplicates, (long long)s->reordered, s->jitter,
               s->max_jitter, (double)s->max_delta_us / 1000, s->digits, (long long)s->digit_ticks, (long long)s->digit_packets,
               (long long)s->digit_ends);
    }
    return 0;
}
