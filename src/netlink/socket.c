// Kernel sockets for Node: system calls and uv_poll, nothing else; formats and policy live in TypeScript.
// Invariant: no call blocks, and a failed system call is a negative errno in the return value, never an exception.
// Only misuse (a wrong argument type) throws. Plain Node-API: one binary loads on every Node from 20 on.
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include "call.h"
#include "image.h"
#include "pages.h"
#include "poll.h"
#include "unix.h"

// Moves this thread to a network namespace; what it was in comes back through `home` (-1: nothing to undo).
static int enter(const char *netns, int *home) {
  *home = -1;
  if (netns == NULL) return 0;
  int there = open(netns, O_RDONLY | O_CLOEXEC);
  if (there < 0) return -errno;
  *home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
  int result = *home < 0 || setns(there, CLONE_NEWNET) < 0 ? -errno : 0;
  close(there);
  if (result < 0 && *home >= 0) close(*home);
  return result;
}

static void leave(int home) {
  if (home < 0) return;
  if (setns(home, CLONE_NEWNET) < 0) abort();  // to go on in a foreign namespace would be worse
  close(home);
}

// socket(domain, type, protocol, netns?): fd. A socket belongs for life to the namespace it was made in.
static napi_value socket_(napi_env env, napi_callback_info info) {
  Args args = arguments(env, info);
  char path[PATH_SIZE];
  int domain = integer(&args, 0), type = integer(&args, 1), protocol = integer(&args, 2), home;
  const char *netns = text(&args, 3, path);
  if (args.bad) return answer(&args, 0);
  int result = enter(netns, &home);
  if (result == 0) {
    result = RESULT(socket(domain, type | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol));
    leave(home);
  }
  return answer(&args, result);
}

// open(path, flags, netns?): fd. For /dev/net/tun and /proc/sys/net, which look at the caller's namespace.
static napi_value open_(napi_env env, napi_callback_info info) {
  Args args = arguments(env, info);
  char path[PATH_SIZE], netns_path[PATH_SIZE];
  const char *file = text(&args, 0, path), *netns = text(&args, 2, netns_path);
  int flags = integer(&args, 1), home;
  if (args.bad || file == NULL) return args.bad = true, answer(&args, 0);
  int result = enter(netns, &home);
  if (result == 0) {
    result = RESULT(open(file, flags | O_CLOEXEC | O_NONBLOCK, 0600));
    leave(home);
  }
  return answer(&args, result);
}

// bindNetlink(fd, groups): the port id the kernel gave. `groups` is the old 32-bit mask.
static napi_value bind_netlink(napi_env env, napi_callback_info info) {
  Args args = arguments(env, info);
  int fd = integer(&args, 0);
  struct sockaddr_nl name = {.nl_family = AF_NETLINK, .nl_groups = integer(&args, 1)};
  socklen_t length = sizeof name;
  if (args.bad) return answer(&args, 0);
  if (bind(fd, (struct sockaddr *)&name, sizeof name) < 0 || getsockname(fd, (struct sockaddr *)&name, &length) < 0)
    return answer(&args, -errno);
  return answer(&args, name.nl_pid);
}

// setsockopt(fd, level, name, value: int | bytes): 0.
static napi_value setsockopt_(napi_env env, napi_callback_info info) {
  Args args = arguments(env, info);
  int fd = integer(&args, 0), level = integer(&args, 1), name = integer(&args, 2), number = 0;
  size_t length = sizeof number;
  const void *value = &number;
  if (is_a(&args, 3, napi_number)) number = integer(&args, 3);
  else value = bytes(&args, 3, &length);
  return answer(&args, args.bad ? 0 : RESULT(setsockopt(fd, level, name, value, length)));
}

// attachFilter(fd, program): 0. Instructions of struct sock_filter (linux/filter.h): the kernel drops what they refuse.
static napi_value attach_filter(napi_env env, napi_callback_info info) {
  Args args = arguments(env, info);
  size_t size;
  int fd = integer(&args, 0);
  void *program = bytes(&args, 1, &size);
  struct sock_fprog filter = {.len = size / sizeof(struct sock_filter), .filter = program};
  return answer(&args, args.bad ? 0 : RESULT(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter)));
}

// getsockopt(fd, level, name, into: bytes): the length of the value.
static napi_value getsockopt_(napi_env env, napi_callback_info info) {
  Args args = arguments(env, info);
  int fd = integer(&args, 0), level = integer(&args, 1), name = integer(&args, 2);
  size_t size;
  void *into = bytes(&args, 3, &size);
  socklen_t length = size;
  return answer(&args, args.bad ? 0 : RESULT(getsockopt(fd, level, name, into, &length) < 0 ? -1 : (long)length));
}

// send(fd, bytes, length): bytes sent, to the connected peer; for netlink the kernel.
static napi_value send_(napi_env env, napi_callback_info info) {
  Args args = arguments(env, info);
  size_t size;
  int fd = integer(&args, 0);
  const void *data = bytes(&args, 1, &size);
  int64_t length = integer(&args, 2);
  if (length < 0 || (uint64_t)length > size) args.bad = true;
  return answer(&args, args.bad ? 0 : RESULT(send(fd, data, length, MSG_DONTWAIT | MSG_NOSIGNAL)));
}

// sendTo(fd, bytes, length, address: bytes): bytes sent. The address is a struct sockaddr of the socket's family.
static napi_value send_to(napi_env env, napi_callback_info info) {
  Args args = arguments(env, info);
  size_t size, address_size;
  int fd = integer(&args, 0);
  const void *data = bytes(&args, 1, &size);
  int64_t length = integer(&args, 2);
  const void *address = bytes(&args, 3, &address_size);
  if (length < 0 || (uint64_t)length > size) args.bad = true;
  return answer(&args, args.bad ? 0 : RESULT(sendto(fd, data, length, MSG_DONTWAIT | MSG_NOSIGNAL, address, address_size)));
}

// recvNetlink(fd, into): length of the datagram, which is more than fits when it was cut. What another process sent is
// thrown away: anyone on the machine may address a netlink socket, only port 0 is the kernel (netlink(7)).
static napi_value recv_netlink(napi_env env, napi_callback_info info) {
  Args args = arguments(env, info);
  size_t size;
  int fd = integer(&args, 0);
  void *into = bytes(&args, 1, &size);
  if (args.bad) return answer(&args, 0);
  for (;;) {
    struct sockaddr_nl from = {0};
    socklen_t length = sizeof from;
    ssize_t got = recvfrom(fd, into, size, MSG_DONTWAIT | MSG_TRUNC, (struct sockaddr *)&from, &length);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 || (from.nl_family == AF_NETLINK && from.nl_pid == 0)) return answer(&args, got < 0 ? -errno : got);
  }
}

// sendUnix(path, bytes): one datagram to a Unix socket, '@name' being an abstract one (sd_notify(3), unix(7)).
static napi_value send_unix(napi_env env, napi_callback_info info) {
  Args args = arguments(env, info);
  char path[PATH_SIZE];
  size_t size;
  struct sockaddr_un to;
  if (text(&args, 0, path) == NULL) args.bad = true;
  const void *data = bytes(&args, 1, &size);
  if (args.bad) return answer(&args, 0);
  socklen_t name = unix_address(path, &to);
  if (name == 0) return answer(&args, -ENAMETOOLONG);
  int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return answer(&args, -errno);
  long sent = RESULT(sendto(fd, data, size, MSG_NOSIGNAL, (struct sockaddr *)&to, name));
  close(fd);
  return answer(&args, sent);
}

// ioctl(fd, request, argument: bytes): what ioctl(2) returns.
static napi_value ioctl_(napi_env env, napi_callback_info info) {
  Args args = arguments(env, info);
  size_t size;
  int fd = integer(&args, 0);
  unsigned long request = integer(&args, 1);
  void *data = bytes(&args, 2, &size);
  return answer(&args, args.bad ? 0 : RESULT(ioctl(fd, request, data)));
}

// read(fd, into): length.
static napi_value read_(napi_env env, napi_callback_info info) {
  Args args = arguments(env, info);
  size_t size;
  int fd = integer(&args, 0);
  void *into = bytes(&args, 1, &size);
  return answer(&args, args.bad ? 0 : RESULT(read(fd, into, size)));
}

// write(fd, bytes): length.
static napi_value write_(napi_env env, napi_callback_info info) {
  Args args = arguments(env, info);
  size_t size;
  int fd = integer(&args, 0);
  const void *data = bytes(&args, 1, &size);
  return answer(&args, args.bad ? 0 : RESULT(write(fd, data, size)));
}

// close(fd): 0. A poll of the fd must have been stopped.
static napi_value close_(napi_env env, napi_callback_info info) {
  Args args = arguments(env, info);
  int fd = integer(&args, 0);
  return answer(&args, args.bad ? 0 : RESULT(close(fd)));
}

NAPI_MODULE_INIT() {
  static const struct { const char *name; napi_callback call; } functions[] = {
    {"socket", socket_}, {"open", open_}, {"bindNetlink", bind_netlink}, {"setsockopt", setsockopt_},
    {"attachFilter", attach_filter}, {"getsockopt", getsockopt_}, {"send", send_}, {"sendTo", send_to}, {"recvNetlink", recv_netlink}, {"sendUnix", send_unix},
    {"listenUnix", listen_unix}, {"connectUnix", connect_unix}, {"acceptUnix", accept_unix},
    {"ioctl", ioctl_}, {"read", read_}, {"write", write_}, {"close", close_},
    {"pollStart", poll_start}, {"pollAgain", poll_again}, {"pollStop", poll_stop},
    {"releaseProgram", release_program}, {"openForwarder", open_forwarder},
  };
  for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
    napi_value value;
    napi_create_function(env, functions[i].name, NAPI_AUTO_LENGTH, functions[i].call, NULL, &value);
    napi_set_named_property(env, exports, functions[i].name, value);
  }
  return exports;
}
