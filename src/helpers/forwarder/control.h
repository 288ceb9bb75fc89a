// What the daemon says to the forwarder, and what it answers, on a Unix socket with an abstract name: such names belong to the network
// namespace, as the device does. Messages of both directions: length of the rest (u32), number of the message (u32), contents; an
// answer has the number of what it answers, a status (i32: 0 or a negative errno) first. Numbers in the byte order of the host.
// Invariants: only our own user is heard; a message is worked off whole; a caller that stalls holds up nobody.
#pragma once
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/un.h>
#include "forward.h"

// Changes with the messages: a daemon of another version starts a forwarder of its own.
#define VERSION 1
#define MOST_MESSAGE (4u << 20)
#define MOST_CALLERS 8

enum { HELLO = 1, MOVE = 2, ALL_PEERS = 3, CHANGED_PEERS = 4, GUARD = 5, COUNTS = 6, END = 7 };

typedef struct {
  int fd;
  uint8_t *data;
  size_t got, room;
} Caller;

typedef struct {
  Forwarder *forwarder;
  int listener;
  Caller callers[MOST_CALLERS];
  struct sockaddr_in local;
  bool end;
} Control;

static int listen_at(const char *name) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  size_t length = strlen(name);
  if (length + 1 > sizeof address.sun_path) return errno = ENAMETOOLONG, -1;
  memcpy(address.sun_path + 1, name, length);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -1;
  if (bind(fd, (struct sockaddr *)&address, offsetof(struct sockaddr_un, sun_path) + 1 + length) < 0 || listen(fd, 8) < 0) {
    int error = errno;
    close(fd);
    return errno = error, -1;
  }
  return fd;
}

// A UDP socket where peers send to. Errors as a negative errno.
static int open_udp(const struct sockaddr_in *local) {
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), on = 1, bytes = 4 << 20;
  if (fd < 0) return -errno;
  if (bind(fd, (const struct sockaddr *)local, sizeof *local) < 0) {
    int error = errno;
    close(fd);
    return -error;
  }
  // Refinements: a kernel or a user without them has less room for bursts.
  if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes) < 0) setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
  if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof bytes) < 0) setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
  setsockopt(fd, IPPROTO_UDP, UDP_GRO, &on, sizeof on);
  return fd;
}

static int move(Control *it, const uint8_t *data, size_t size) {
  struct { uint32_t local, self; uint16_t port, unused; } wanted;
  if (size != sizeof wanted) return -EINVAL;
  memcpy(&wanted, data, size);
  struct sockaddr_in local = {.sin_family = AF_INET, .sin_port = wanted.port, .sin_addr.s_addr = wanted.local};
  it->forwarder->self = wanted.self;
  if (local.sin_port == it->local.sin_port && local.sin_addr.s_addr == it->local.sin_addr.s_addr) return 0;
  int fd = open_udp(&local);
  if (fd < 0) return fd;
  close(it->forwarder->udp);
  it->forwarder->udp = fd;
  it->local = local;
  return 0;
}

// The table `into` with these changes.
static int take_peers(Table *into, const uint8_t *data, size_t size, bool fresh) {
  if (size % sizeof(Peer) != 0) return -EINVAL;
  size_t count = size / sizeof(Peer);
  Peer *peers = malloc(size + 1);
  if (peers == NULL) return -ENOMEM;
  memcpy(peers, data, size);
  for (size_t i = 0; i < count; i++) {
    if (peers[i].length < 1 || peers[i].length > 32) return free(peers), -EINVAL;
    peers[i].subnet &= mask_of(peers[i].length);
  }
  Table next;
  bool done = changed_table(into, peers, count, fresh, &next);
  free(peers);
  if (!done) return -ENOMEM;
  free_table(into);
  *into = next;
  return 0;
}

static int set_guard(Forwarder *it, const uint8_t *data, size_t size) {
  uint32_t guarded;
  if (size < sizeof guarded) return -EINVAL;
  memcpy(&guarded, data, sizeof guarded);
  int result = take_peers(&it->allowed, data + sizeof guarded, size - sizeof guarded, true);
  if (result == 0) it->guarded = guarded != 0;
  return result;
}

// Sends an answer. A caller that does not take it in is done with.
static bool reply(int fd, uint32_t number, int32_t status, const void *data, uint32_t size) {
  uint32_t head[3] = {sizeof head - 4 + size, number, (uint32_t)status};
  struct iovec parts[2] = {{head, sizeof head}, {(void *)data, size}};
  struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
  return sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)(sizeof head + size);
}

// Works off one message. False: the caller is done with.
static bool work_off(Control *it, int fd, uint32_t number, const uint8_t *data, size_t size) {
  Forwarder *forwarder = it->forwarder;
  switch (number) {
    case HELLO: {
      uint32_t known[5] = {VERSION, getpid(), it->local.sin_addr.s_addr, it->local.sin_port, forwarder->table.count};
      return reply(fd, number, 0, known, sizeof known);
    }
    case MOVE: return reply(fd, number, move(it, data, size), NULL, 0);
    case ALL_PEERS: return reply(fd, number, take_peers(&forwarder->table, data, size, true), NULL, 0);
    case CHANGED_PEERS: return reply(fd, number, take_peers(&forwarder->table, data, size, false), NULL, 0);
    case GUARD: return reply(fd, number, set_guard(forwarder, data, size), NULL, 0);
    case COUNTS: return reply(fd, number, 0, &forwarder->counts, sizeof forwarder->counts);
    case END: return it->end = true, reply(fd, number, 0, NULL, 0);
    default: return reply(fd, number, -EOPNOTSUPP, NULL, 0);
  }
}

static void hang_up(Caller *caller) {
  close(caller->fd);
  free(caller->data);
  *caller = (Caller){.fd = -1};
}

// Reads what a caller says; false when it is done with.
static bool listen_to(Control *it, Caller *caller) {
  if (caller->room - caller->got < 65536) {
    uint8_t *data = realloc(caller->data, caller->room + (caller->room < 65536 ? 131072 : caller->room));
    if (data == NULL) return false;
    caller->room += caller->room < 65536 ? 131072 : caller->room;
    caller->data = data;
  }
  ssize_t got = recv(caller->fd, caller->data + caller->got, caller->room - caller->got, MSG_DONTWAIT);
  if (got <= 0) return got < 0 && (errno == EAGAIN || errno == EINTR);
  caller->got += got;
  size_t at = 0;
  while (caller->got - at >= 8) {
    uint32_t head[2];
    memcpy(head, caller->data + at, sizeof head);
    if (head[0] < 4 || head[0] > MOST_MESSAGE) return false;
    if (caller->got - at < head[0] + 4) break;
    if (!work_off(it, caller->fd, head[1], caller->data + at + 8, head[0] - 4)) return false;
    at += head[0] + 4;
  }
  memmove(caller->data, caller->data + at, caller->got - at);
  caller->got -= at;
  return true;
}

static void take_caller(Control *it) {
  int fd = accept4(it->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd < 0) return;
  struct ucred who;
  socklen_t size = sizeof who;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) == 0 && (who.uid == 0 || who.uid == geteuid()))
    for (int i = 0; i < MOST_CALLERS; i++)
      if (it->callers[i].fd < 0) {
        it->callers[i] = (Caller){.fd = fd};
        return;
      }
  close(fd);
}
