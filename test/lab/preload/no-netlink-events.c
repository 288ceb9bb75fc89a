// Preloaded, it keeps a program's netlink sockets out of every multicast group, so the kernel notifies it of nothing.
// What it asks for is answered as ever.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <linux/netlink.h>
#include <sys/socket.h>

int bind(int fd, const struct sockaddr *address, socklen_t length) {
  int (*original)(int, const struct sockaddr *, socklen_t) = dlsym(RTLD_NEXT, "bind");
  if (address->sa_family != AF_NETLINK) return original(fd, address, length);
  struct sockaddr_nl name = *(const struct sockaddr_nl *)address;
  name.nl_groups = 0;
  return original(fd, (const struct sockaddr *)&name, length);
}

int setsockopt(int fd, int level, int option, const void *value, socklen_t length) {
  int (*original)(int, int, int, const void *, socklen_t) = dlsym(RTLD_NEXT, "setsockopt");
  if (level == SOL_NETLINK && option == NETLINK_ADD_MEMBERSHIP) return 0;
  return original(fd, level, option, value, length);
}
