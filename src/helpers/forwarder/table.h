// Where packets go and who may send them: peers by their subnets, and the addresses their packets come from.
// Invariants: one thread reads and writes it, so that a change is there for the next packet or not at all; a lookup costs one probe for
// each length of subnets there is, of which a network has one.
#pragma once
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

// A peer as the daemon sends it. Addresses and port are in network order. 20 bytes.
typedef struct {
  uint32_t subnet;
  uint32_t address;  // its packets come from here, and are sent here where there is a port
  uint32_t source;   // another address its packets come from; 0 for none
  uint16_t port;     // 0: nothing is sent to it this way
  uint8_t length;    // of the subnet, 1 to 32
  uint8_t present;   // 0 takes it out
  uint32_t reserved;
} Peer;

typedef struct {
  Peer *peers;
  uint32_t count, room;
  uint32_t *by_subnet;  // hash of subnet and length to index + 1; 0 is empty
  uint32_t *by_sender;  // hash of an address to itself; 0 is empty
  uint32_t mask;        // size of both hashes - 1
  uint64_t lengths;     // bit n: some subnet has length n
} Table;

static inline uint32_t mask_of(unsigned length) { return htonl(length == 0 ? 0 : ~0u << (32 - length)); }

static inline uint32_t hash_of(uint32_t address, unsigned length) {
  uint64_t key = ((uint64_t)address << 8 | length) * 0x9E3779B97F4A7C15ull;
  return key >> 32;
}

// The peer with exactly this subnet, or NULL.
static inline Peer *peer_at(const Table *table, uint32_t subnet, unsigned length) {
  if (table->by_subnet == NULL) return NULL;
  for (uint32_t at = hash_of(subnet, length) & table->mask; table->by_subnet[at] != 0; at = (at + 1) & table->mask) {
    Peer *peer = &table->peers[table->by_subnet[at] - 1];
    if (peer->subnet == subnet && peer->length == length) return peer;
  }
  return NULL;
}

// The peer that a packet to `address` goes to, by the longest subnet, or NULL.
static inline const Peer *peer_for(const Table *table, uint32_t address) {
  for (uint64_t left = table->lengths; left != 0;) {
    unsigned length = 63 - __builtin_clzll(left);
    left &= ~(1ull << length);
    const Peer *peer = peer_at(table, address & mask_of(length), length);
    if (peer != NULL) return peer->port == 0 ? NULL : peer;
  }
  return NULL;
}

// Whether packets of peers come from this address.
static inline bool is_sender(const Table *table, uint32_t address) {
  if (table->by_sender == NULL) return false;
  for (uint32_t at = hash_of(address, 32) & table->mask; table->by_sender[at] != 0; at = (at + 1) & table->mask)
    if (table->by_sender[at] == address) return true;
  return false;
}

static void add_sender(Table *table, uint32_t address) {
  if (address == 0 || is_sender(table, address)) return;
  uint32_t at = hash_of(address, 32) & table->mask;
  while (table->by_sender[at] != 0) at = (at + 1) & table->mask;
  table->by_sender[at] = address;
}

// Makes both hashes anew. False without memory: the table is as it was.
static bool index_table(Table *table) {
  uint32_t size = 64;
  while (size < table->count * 4 + 4) size *= 2;  // at most half full: two senders each
  uint32_t *subnets = calloc(size, sizeof *subnets), *senders = calloc(size, sizeof *senders);
  if (subnets == NULL || senders == NULL) return free(subnets), free(senders), false;
  free(table->by_subnet);
  free(table->by_sender);
  *table = (Table){table->peers, table->count, table->room, subnets, senders, size - 1, 0};
  for (uint32_t i = 0; i < table->count; i++) {
    const Peer *peer = &table->peers[i];
    uint32_t at = hash_of(peer->subnet, peer->length) & table->mask;
    while (subnets[at] != 0) at = (at + 1) & table->mask;
    subnets[at] = i + 1;
    table->lengths |= 1ull << peer->length;
    add_sender(table, peer->address);
    add_sender(table, peer->source);
  }
  return true;
}

static void free_table(Table *table) {
  free(table->peers);
  free(table->by_subnet);
  free(table->by_sender);
  *table = (Table){0};
}

static bool append(Table *table, const Peer *peer) {
  if (table->count == table->room) {
    uint32_t room = table->room == 0 ? 64 : table->room * 2;
    Peer *peers = realloc(table->peers, room * sizeof *peers);
    if (peers == NULL) return false;
    table->peers = peers;
    table->room = room;
  }
  table->peers[table->count++] = *peer;
  return true;
}

// The table after changes, in `next`; with `fresh` the changes are all there is. False without memory.
static bool changed_table(const Table *table, const Peer *changes, size_t count, bool fresh, Table *next) {
  *next = (Table){0};
  for (size_t i = 0; !fresh && i < table->count; i++)
    if (!append(next, &table->peers[i])) return free_table(next), false;
  if (!index_table(next)) return free_table(next), false;
  for (size_t i = 0; i < count; i++) {
    Peer *known = peer_at(next, changes[i].subnet, changes[i].length);
    if (known != NULL) *known = changes[i];
    else if (changes[i].present && !append(next, &changes[i])) return free_table(next), false;
  }
  uint32_t kept = 0;
  for (uint32_t i = 0; i < next->count; i++)
    if (next->peers[i].present) next->peers[kept++] = next->peers[i];
  next->count = kept;
  if (!index_table(next)) return free_table(next), false;
  return true;
}
