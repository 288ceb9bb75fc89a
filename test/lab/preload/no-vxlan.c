// Preloaded, it makes this kernel one without vxlan for a program: devices of that kind are asked for by a name the kernel
// does not know, and what it answers is the kernel's own. Once /run/vxlan.ko exists, the module is "loaded".
#define _GNU_SOURCE
#include <dlfcn.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

ssize_t send(int fd, const void *data, size_t length, int flags) {
  ssize_t (*original)(int, const void *, size_t, int) = dlsym(RTLD_NEXT, "send");
  char *kind = access("/run/vxlan.ko", F_OK) == 0 ? NULL : memmem(data, length, "vxlan", 6);
  if (kind != NULL) kind[3] = 'o';
  ssize_t sent = original(fd, data, length, flags);
  if (kind != NULL) kind[3] = 'a';
  return sent;
}
