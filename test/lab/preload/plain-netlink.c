/* Preloaded into an emulated program: its netlink sockets carry bytes as they are. The emulator looks into messages of
 * descriptors it saw made by socket(2) or dup(2), and refuses those it does not know (neighbours, nexthop objects);
 * a copy made by fcntl(2) it does not follow. Both processors are little-endian with 64 bits: there is nothing to translate. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* The programs it starts are this machine's own. */
__attribute__((constructor)) static void only_here(void) { unsetenv("LD_PRELOAD"); }

int socket(int domain, int type, int protocol) {
  int (*real)(int, int, int) = (int (*)(int, int, int))dlsym(RTLD_NEXT, "socket");
  int fd = real(domain, type, protocol);
  if (fd < 0 || domain != AF_NETLINK) return fd;
  int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
  close(fd);
  return copy;
}
