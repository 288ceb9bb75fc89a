// Preloaded, it makes receiving from netlink sockets fail with EINVAL as often as a file has bytes, one gone each time:
// /run/fail-heard on sockets that joined a multicast group, /run/fail-asked on all others.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <linux/netlink.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static bool joined[4096];

// The programs it starts hear as ever.
__attribute__((constructor)) static void only_here(void) { unsetenv("LD_PRELOAD"); }

int setsockopt(int fd, int level, int option, const void *value, socklen_t length) {
  int (*original)(int, int, int, const void *, socklen_t) = dlsym(RTLD_NEXT, "setsockopt");
  if (level == SOL_NETLINK && option == NETLINK_ADD_MEMBERSHIP && fd < 4096) joined[fd] = true;
  return original(fd, level, option, value, length);
}

int close(int fd) {
  int (*original)(int) = dlsym(RTLD_NEXT, "close");
  if (fd >= 0 && fd < 4096) joined[fd] = false;
  return original(fd);
}

ssize_t recvfrom(int fd, void *into, size_t size, int flags, struct sockaddr *from, socklen_t *length) {
  ssize_t (*original)(int, void *, size_t, int, struct sockaddr *, socklen_t *) = dlsym(RTLD_NEXT, "recvfrom");
  int domain = 0;
  socklen_t size_of_domain = sizeof domain;
  getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size_of_domain);
  const char *path = fd < 4096 && joined[fd] ? "/run/fail-heard" : "/run/fail-asked";
  struct stat file;
  if (domain != AF_NETLINK || stat(path, &file) != 0 || file.st_size == 0 || truncate(path, file.st_size - 1) != 0)
    return original(fd, into, size, flags, from, length);
  errno = EINVAL;
  return -1;
}
