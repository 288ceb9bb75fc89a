// Unix sockets, also with Linux's abstract names, which belong to a network namespace and go with the process (unix(7)).
// Invariant: nothing blocks.
#pragma once
#define _GNU_SOURCE
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "call.h"

// The address of a path, or with '@' in front of an abstract name; its length, 0 when it is none. An abstract name ends
// where the length says; a trailing NUL would be part of it.
static inline socklen_t unix_address(const char *path, struct sockaddr_un *into) {
  size_t length = strlen(path);
  if (length == 0 || length >= sizeof into->sun_path) return 0;
  *into = (struct sockaddr_un){.sun_family = AF_UNIX};
  memcpy(into->sun_path, path, length);
  if (path[0] == '@') into->sun_path[0] = 0;
  return offsetof(struct sockaddr_un, sun_path) + length + (path[0] == '@' ? 0 : 1);
}

// Opens a stream socket and uses `name` on it: 0, or -1 with errno.
static napi_value with_unix(napi_env env, napi_callback_info info, int (*use)(int, struct sockaddr *, socklen_t)) {
  Args args = arguments(env, info);
  char path[PATH_SIZE];
  struct sockaddr_un name;
  if (text(&args, 0, path) == NULL) args.bad = true;
  if (args.bad) return answer(&args, 0);
  socklen_t length = unix_address(path, &name);
  if (length == 0) return answer(&args, -ENAMETOOLONG);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return answer(&args, -errno);
  if (use(fd, (struct sockaddr *)&name, length) == 0) return answer(&args, fd);
  int result = -errno;
  close(fd);
  return answer(&args, result);
}

static int bind_and_listen(int fd, struct sockaddr *name, socklen_t length) {
  return bind(fd, name, length) < 0 ? -1 : listen(fd, 128);
}

static int connect_to(int fd, struct sockaddr *name, socklen_t length) { return connect(fd, name, length); }

// listenUnix(path): fd, or EADDRINUSE while another socket has that name.
static napi_value listen_unix(napi_env env, napi_callback_info info) { return with_unix(env, info, bind_and_listen); }

// connectUnix(path): fd, of which SO_PEERCRED says who listens.
static napi_value connect_unix(napi_env env, napi_callback_info info) { return with_unix(env, info, connect_to); }

// acceptUnix(fd): the next connection's fd, EAGAIN when there is none.
static napi_value accept_unix(napi_env env, napi_callback_info info) {
  Args args = arguments(env, info);
  int fd = integer(&args, 0);
  return answer(&args, args.bad ? 0 : RESULT(accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)));
}
