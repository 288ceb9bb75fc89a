// Packets from the TUN device to peers by UDP, and back. Many are taken at once: what the kernel takes in one call costs it and us the
// least, so packets of one size to one peer leave as segments of one message (UDP_SEGMENT, udp(7)), and arrive so (UDP_GRO).
// Invariants: nothing waits but for the socket's buffer; a packet that cannot be carried is counted; no packet is kept.
#pragma once
#include <errno.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include "packet.h"
#include "table.h"

#define BATCH 64
#define STRIDE 65536
#define MOST_SEGMENTS 64
#define MOST_SEGMENTED 65000
#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#define UDP_GRO 104
#endif

// What is counted, in the order in which the daemon is told.
typedef struct {
  uint64_t sent, sent_bytes, received, received_bytes;
  uint64_t no_peer, strangers, expired, malformed, send_errors, write_errors;
  uint64_t last_errno;
} Counts;

typedef struct {
  int tun, udp;
  uint32_t self;  // the device's address: source of ICMP answers
  bool guarded;   // only packets of peers' addresses are taken
  bool gone;      // the device is no more
  bool segments;  // the kernel takes UDP_SEGMENT
  Table table;
  Table allowed;  // other senders, as subnets
  Counts counts;
  uint8_t *buffers;
} Forwarder;

static bool make_buffers(Forwarder *it) {
  // Pages that no packet reaches are never made.
  it->buffers = mmap(NULL, (size_t)BATCH * STRIDE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  it->segments = true;
  return it->buffers != MAP_FAILED;
}

static void write_packet(Forwarder *it, const uint8_t *packet, size_t size) {
  if (write(it->tun, packet, size) >= 0) return;
  it->counts.write_errors++;
  it->counts.last_errno = errno;
  if (errno == EBADFD) it->gone = true;
}

// Tells the sender on this host that its packet goes no further. In the name of the receiver: the kernel takes no packet that comes
// in from an address of its own.
static void answer_here(Forwarder *it, const uint8_t *packet, size_t size, uint8_t type, uint8_t code) {
  uint8_t answer[ANSWER_BYTES];
  size_t length = answer_to(packet, size, type, code, ((const struct iphdr *)packet)->daddr, answer);
  if (length > 0) write_packet(it, answer, length);
}

// Tells the sender beyond the tunnel.
static void answer_there(Forwarder *it, const uint8_t *packet, size_t size, uint8_t type, uint8_t code) {
  uint8_t answer[ANSWER_BYTES];
  size_t length = answer_to(packet, size, type, code, it->self, answer);
  const Peer *to = peer_for(&it->table, ((const struct iphdr *)packet)->saddr);
  if (length == 0 || to == NULL) return;
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = to->port, .sin_addr.s_addr = to->address};
  if (sendto(it->udp, answer, length, 0, (struct sockaddr *)&address, sizeof address) < 0) it->counts.send_errors++;
}

// A packet on its way out.
typedef struct {
  struct iovec data;
  const Peer *to;
} Leaving;

typedef struct {
  struct mmsghdr messages[BATCH];
  struct sockaddr_in to[BATCH];
  struct iovec data[BATCH];
  union {
    char bytes[CMSG_SPACE(sizeof(uint16_t))];
    struct cmsghdr align;
  } control[BATCH];
  unsigned packets[BATCH];  // in each message
} Outgoing;

static void set_segment(struct msghdr *message, char *control, uint16_t size) {
  message->msg_control = control;
  message->msg_controllen = CMSG_SPACE(sizeof size);
  struct cmsghdr *header = CMSG_FIRSTHDR(message);
  header->cmsg_level = IPPROTO_UDP;
  header->cmsg_type = UDP_SEGMENT;
  header->cmsg_len = CMSG_LEN(sizeof size);
  memcpy(CMSG_DATA(header), &size, sizeof size);
}

// How many packets from the first on can leave as one message: all of one size, but for a shorter one at the end.
static unsigned together(const Leaving *leaving, unsigned count) {
  size_t size = leaving->data.iov_len, total = size;
  unsigned taken = 1;
  while (taken < count && taken < MOST_SEGMENTS) {
    const Leaving *next = &leaving[taken];
    if (next->to != leaving->to || next->data.iov_len > size || total + next->data.iov_len > MOST_SEGMENTED) break;
    total += next->data.iov_len;
    taken++;
    if (next->data.iov_len < size) break;
  }
  return taken;
}

static unsigned write_messages(const Forwarder *it, const Leaving *leaving, unsigned count, Outgoing *out) {
  unsigned messages = 0;
  for (unsigned at = 0; at < count; messages++) {
    unsigned taken = it->segments ? together(leaving + at, count - at) : 1;
    for (unsigned i = 0; i < taken; i++) out->data[at + i] = leaving[at + i].data;
    const Peer *to = leaving[at].to;
    out->to[messages] = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = to->port, .sin_addr.s_addr = to->address};
    struct msghdr *message = &out->messages[messages].msg_hdr;
    *message = (struct msghdr){
        .msg_name = &out->to[messages], .msg_namelen = sizeof out->to[0], .msg_iov = &out->data[at], .msg_iovlen = taken};
    if (taken > 1) set_segment(message, out->control[messages].bytes, leaving[at].data.iov_len);
    out->packets[messages] = taken;
    at += taken;
  }
  return messages;
}

static void count_sent(Forwarder *it, const struct msghdr *message) {
  it->counts.sent += message->msg_iovlen;
  for (size_t i = 0; i < message->msg_iovlen; i++) it->counts.sent_bytes += message->msg_iov[i].iov_len;
}

// Sends packets. Where segments are refused, those left are sent one by one.
static void send_packets(Forwarder *it, const Leaving *leaving, unsigned count) {
  static Outgoing out;
  unsigned messages = write_messages(it, leaving, count, &out), packets = 0;
  for (unsigned at = 0, tries = 0; at < messages;) {
    int sent = sendmmsg(it->udp, out.messages + at, messages - at, 0);
    if (sent > 0) {
      for (int i = 0; i < sent; i++, at++) {
        count_sent(it, &out.messages[at].msg_hdr);
        packets += out.packets[at];
      }
      tries = 0;
      continue;
    }
    if (errno == EINTR) continue;
    if (out.packets[at] > 1 && (errno == EIO || errno == EINVAL || errno == EMSGSIZE || errno == EOPNOTSUPP)) {
      // A path with a smaller MTU, or a device that makes no checksums.
      bool never = errno == EIO || errno == EOPNOTSUPP;
      it->segments = false;
      send_packets(it, leaving + packets, count - packets);
      it->segments = !never;
      return;
    }
    // An ICMP error about an earlier packet is reported once, and says nothing about this one.
    if (tries++ == 0 && (errno == ECONNREFUSED || errno == EHOSTUNREACH || errno == ENETUNREACH)) continue;
    it->counts.send_errors += out.packets[at];
    it->counts.last_errno = errno;
    packets += out.packets[at++];
    tries = 0;
  }
}

// Takes packets off the device and sends them; false when there was none.
static bool from_tun(Forwarder *it) {
  Leaving leaving[BATCH];
  unsigned count = 0;
  bool any = false;
  while (count < BATCH) {
    uint8_t *packet = it->buffers + (size_t)count * STRIDE;
    ssize_t size = read(it->tun, packet, STRIDE);
    if (size < 0) {
      if (errno == EBADFD) it->gone = true;
      break;
    }
    any = true;
    struct iphdr *ip = (struct iphdr *)packet;
    if (!is_packet(packet, size)) {
      it->counts.malformed++;
      continue;
    }
    const Peer *to = peer_for(&it->table, ip->daddr);
    if (to == NULL) {
      it->counts.no_peer++;
      answer_here(it, packet, size, ICMP_DEST_UNREACH, ICMP_NET_UNREACH);
    } else if (!live_on(ip)) {
      it->counts.expired++;
      answer_here(it, packet, size, ICMP_TIME_EXCEEDED, ICMP_EXC_TTL);
    } else {
      leaving[count++] = (Leaving){{packet, size}, to};
    }
  }
  if (count > 0) send_packets(it, leaving, count);
  return any;
}

static void take_packet(Forwarder *it, uint8_t *packet, size_t size) {
  if (!is_packet(packet, size)) {
    it->counts.malformed++;
  } else if (!live_on((struct iphdr *)packet)) {
    it->counts.expired++;
    answer_there(it, packet, size, ICMP_TIME_EXCEEDED, ICMP_EXC_TTL);
  } else {
    it->counts.received++;
    it->counts.received_bytes += size;
    write_packet(it, packet, size);
  }
}

// The size of the segments of a message; its own where it is one packet.
static size_t segment_of(struct msghdr *message, size_t size) {
  for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header != NULL; header = CMSG_NXTHDR(message, header)) {
    if (header->cmsg_level != IPPROTO_UDP || header->cmsg_type != UDP_GRO) continue;
    int segment;
    memcpy(&segment, CMSG_DATA(header), sizeof segment);
    if (segment > 0) return segment;
  }
  return size == 0 ? 1 : size;
}

static bool may_send(const Forwarder *it, uint32_t address) {
  return !it->guarded || is_sender(&it->table, address) || peer_for(&it->allowed, address) != NULL;
}

// Takes packets of peers and hands them to the kernel; false when there was none.
static bool from_udp(Forwarder *it) {
  static struct mmsghdr messages[BATCH];
  static struct sockaddr_in from[BATCH];
  static union {
    char bytes[CMSG_SPACE(sizeof(int))];
    struct cmsghdr align;
  } control[BATCH];
  struct iovec data[BATCH];
  for (unsigned i = 0; i < BATCH; i++) {
    data[i] = (struct iovec){it->buffers + (size_t)i * STRIDE, STRIDE};
    messages[i].msg_hdr = (struct msghdr){.msg_name = &from[i],
                                          .msg_namelen = sizeof from[i],
                                          .msg_iov = &data[i],
                                          .msg_iovlen = 1,
                                          .msg_control = control[i].bytes,
                                          .msg_controllen = sizeof control[i].bytes};
  }
  int count = recvmmsg(it->udp, messages, BATCH, MSG_DONTWAIT, NULL);
  for (int i = 0; i < count; i++) {
    size_t size = messages[i].msg_len, segment = segment_of(&messages[i].msg_hdr, size);
    if (!may_send(it, from[i].sin_addr.s_addr)) {
      it->counts.strangers += (size + segment - 1) / segment;
      continue;
    }
    uint8_t *packet = data[i].iov_base;
    for (size_t at = 0; at < size; at += segment) take_packet(it, packet + at, size - at < segment ? size - at : segment);
  }
  return count > 0;
}
