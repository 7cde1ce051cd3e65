/* pjproject's compile-time limits for calltest agents (2.17). Part of the wheel's cache key: see dev/pjsua2/build. */
#define NDEBUG 1                              /* misuse returns an error; with asserts it aborts the agent */
#define PJ_HAS_IPV6 1
#define PJ_IOQUEUE_MAX_HANDLES 20000
#define PJSUA_MAX_CALLS 1000
#define PJSUA_MAX_ACC 256
#define PJSUA_MAX_PLAYERS 2000                /* per call: a player and a recorder */
#define PJSUA_MAX_RECORDERS 2000
#define PJSUA_MAX_CONF_PORTS 6000
#define PJSIP_MAX_TSX_COUNT 65535
#define PJSIP_MAX_DIALOG_COUNT 65535
#define PJSIP_MAX_TRANSPORTS 1024
#define PJSIP_TPMGR_HTABLE_SIZE 1023
#define PJSIP_TRANSPORT_IDLE_TIME 86400       /* a connection ends when the SUT or the agent ends it, not after 33 s */
#define PJSIP_TRANSPORT_SERVER_IDLE_TIME 86400
#define PJSIP_TCP_TRANSPORT_BACKLOG 128       /* connections at once, not yet accepted; the default is 5 */
#define PJSIP_TLS_TRANSPORT_BACKLOG 128
#define PJSIP_TCP_KEEP_ALIVE_INTERVAL 0       /* nobody asked for them (RFC 5626 §4.4) */
#define PJSIP_TLS_KEEP_ALIVE_INTERVAL 0
#define PJSIP_UDP_SO_SNDBUF_SIZE 4194304
#define PJSIP_UDP_SO_RCVBUF_SIZE 4194304
#define PJSIP_MAX_PKT_LEN 65535
#define PJSIP_DONT_SWITCH_TO_TCP 1            /* a request over 1300 bytes stays on UDP: there is no other transport */
#define PJ_LOG_MAX_SIZE 70000                 /* the log carries every SIP message: none may be cut (the default is 4000) */
#define PJMEDIA_TRANSPORT_SWITCH_REMOTE_ADDR 0 /* media goes where the SDP says: latching hides a dead port */
#define PJMEDIA_MAX_MRU 9000                  /* a DTLS datagram may carry a chain of certificates: longer ones are cut */
#define PJMEDIA_SRTP_CHECK_RTP_SEQ_ON_RESTART 0 /* replayed packets are refused, also among the first 100 of a call */
#define PJMEDIA_CODEC_L16_HAS_8KHZ_MONO 1
#define PJMEDIA_HAS_RTCP_XR 1
#define PJMEDIA_STREAM_ENABLE_XR 1
#define PJMEDIA_SRTP_HAS_DTLS 1
#define PJMEDIA_SRTP_HAS_SDES 1
#define PJ_TIMER_DEBUG 0
#define PJSIP_SAFE_MODULE 0
