// The forwarder's program (src/helpers/forwarder), which the build puts into the addon: one file to ship, and none to unpack.
#pragma once
#include <sys/mman.h>
#include "call.h"

__asm__(
    ".section .rodata\n"
    ".balign 8\n"
    "forwarder_image: .incbin \"" FORWARDER "\"\n"
    "forwarder_image_end: .byte 0\n"
    ".previous\n");
extern const char forwarder_image[], forwarder_image_end[];
__asm__(".hidden forwarder_image\n.hidden forwarder_image_end\n");

// openForwarder(): fd of a file in memory with the program, to be started as /proc/self/fd/N.
static napi_value open_forwarder(napi_env env, napi_callback_info info) {
  Args args = arguments(env, info);
  int fd = memfd_create("flannel-fwd", MFD_CLOEXEC);
  if (fd < 0) return answer(&args, -errno);
  for (const char *at = forwarder_image; at < forwarder_image_end;) {
    ssize_t written = write(fd, at, forwarder_image_end - at);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) {
      int error = errno;
      close(fd);
      return answer(&args, -error);
    }
    at += written;
  }
  return answer(&args, fd);
}
