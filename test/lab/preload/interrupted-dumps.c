// Preloaded, it makes every list the kernel gives over netlink one that others changed while it was made: each of its
// messages says so (NLM_F_DUMP_INTR), as on a host where thousands of devices come and go.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <sys/socket.h>

// The programs it starts have their lists whole.
__attribute__((constructor)) static void only_here(void) { unsetenv("LD_PRELOAD"); }

ssize_t recvfrom(int fd, void *into, size_t size, int flags, struct sockaddr *from, socklen_t *length) {
  ssize_t (*original)(int, void *, size_t, int, struct sockaddr *, socklen_t *) = dlsym(RTLD_NEXT, "recvfrom");
  int domain = 0;
  socklen_t size_of_domain = sizeof domain;
  getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size_of_domain);
  ssize_t got = original(fd, into, size, flags, from, length);
  if (domain != AF_NETLINK || got <= 0 || (size_t)got > size) return got;
  int left = got;
  for (struct nlmsghdr *message = into; NLMSG_OK(message, left); message = NLMSG_NEXT(message, left))
    if (message->nlmsg_flags & NLM_F_MULTI) message->nlmsg_flags |= NLM_F_DUMP_INTR;
  return got;
}
