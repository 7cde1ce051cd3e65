/* For bench/engine: sockets that were to send at once (TCP_NODELAY) wait, as pjproject has them without our patch. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

int setsockopt(int fd, int level, int name, const void *value, socklen_t length) {
    int (*real)(int, int, int, const void *, socklen_t) = dlsym(RTLD_NEXT, "setsockopt");
    return level == IPPROTO_TCP && name == TCP_NODELAY ? 0 : real(fd, level, name, value, length);
}
