// IPv4 packets as they pass: checks, time to live, answers to their senders (RFC 791, 792, 1624).
#pragma once
#include <arpa/inet.h>
#include <linux/icmp.h>
#include <linux/ip.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

// A whole IPv4 packet of this many bytes?
static inline bool is_packet(const uint8_t *data, size_t size) {
  const struct iphdr *ip = (const struct iphdr *)data;
  return size >= sizeof *ip && ip->version == 4 && ip->ihl >= 5 && ip->ihl * 4u <= size && ntohs(ip->tot_len) <= size &&
         ntohs(ip->tot_len) >= ip->ihl * 4u;
}

// Takes one off the time to live; false when that was the last.
static inline bool live_on(struct iphdr *ip) {
  if (ip->ttl <= 1) return false;
  ip->ttl--;
  // The field is the high byte of a word: that word is 0x0100 less, the sum as much more (RFC 1624, section 3).
  uint32_t sum = ip->check + htons(0x0100);
  ip->check = sum + (sum >= 0xFFFF);
  return true;
}

// The sum of RFC 1071 over an even number of bytes.
static inline uint16_t checksum(const void *data, size_t bytes) {
  const uint16_t *words = data;
  uint32_t sum = 0;
  for (size_t i = 0; i < bytes / 2; i++) sum += words[i];
  while (sum >> 16) sum = (sum & 0xFFFF) + (sum >> 16);
  return ~sum;
}

// Whether a packet may be answered by an error: no ICMP error, the first fragment, one sender, one receiver (RFC 1122, 3.2.2).
static inline bool may_answer(const struct iphdr *ip, size_t size) {
  if ((ip->frag_off & htons(0x1FFF)) != 0 || ip->saddr == 0 || (ntohl(ip->saddr) >> 28) >= 14 ||
      (ntohl(ip->daddr) >> 28) >= 14)
    return false;
  if (ip->protocol != IPPROTO_ICMP) return true;
  const uint8_t *type = (const uint8_t *)ip + ip->ihl * 4;
  return size > ip->ihl * 4u && (*type == ICMP_ECHO || *type == ICMP_TIMESTAMP);
}

// Room for an answer: header, ICMP header, the longest header of the packet it is about and 8 bytes more.
#define ANSWER_BYTES (sizeof(struct iphdr) + sizeof(struct icmphdr) + 60 + 8)

// Writes an ICMP error about a packet into `answer`, from `self`. Its length; 0 where the packet gets none.
static inline size_t answer_to(const uint8_t *packet, size_t size, uint8_t type, uint8_t code, uint32_t self, uint8_t *answer) {
  const struct iphdr *ip = (const struct iphdr *)packet;
  if (!may_answer(ip, size)) return 0;
  size_t quoted = ip->ihl * 4u + 8;
  if (quoted > size) quoted = size & ~(size_t)1;
  size_t length = sizeof(struct iphdr) + sizeof(struct icmphdr) + quoted;
  struct iphdr head = {.version = 4, .ihl = 5, .tot_len = htons(length), .ttl = 64, .protocol = IPPROTO_ICMP};
  struct icmphdr icmp = {.type = type, .code = code};
  head.saddr = self;
  head.daddr = ip->saddr;
  head.check = checksum(&head, sizeof head);
  memcpy(answer, &head, sizeof head);
  memcpy(answer + sizeof head, &icmp, sizeof icmp);
  memcpy(answer + sizeof head + sizeof icmp, packet, quoted);
  icmp.checksum = checksum(answer + sizeof head, sizeof icmp + quoted);
  memcpy(answer + sizeof head, &icmp, sizeof icmp);
  return length;
}
