// A forwarder as simple as can be: one packet read, one packet sent, as Go's flanneld does it for its udp backend. For comparison.
// `plain-forwarder DEVICE LOCAL PORT SELF NAME SUBNET ADDRESS`: everything in SUBNET/24 goes to ADDRESS.
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/ip.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static char packet[65536];

static int live_on(void) {
  struct iphdr *ip = (struct iphdr *)packet;
  if (--ip->ttl == 0) return 0;
  unsigned sum = ip->check + htons(0x100);
  ip->check = sum + (sum >= 0xFFFF);
  return 1;
}

int main(int count, char **words) {
  if (count != 8) return 2;
  struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
  strncpy(request.ifr_name, words[1], sizeof request.ifr_name - 1);
  int tun = open("/dev/net/tun", O_RDWR | O_NONBLOCK), udp = socket(AF_INET, SOCK_DGRAM, 0);
  struct sockaddr_in local = {.sin_family = AF_INET, .sin_port = htons(atoi(words[3]))}, peer = local;
  inet_pton(AF_INET, words[2], &local.sin_addr);
  inet_pton(AF_INET, words[7], &peer.sin_addr);
  in_addr_t subnet = inet_addr(words[6]), mask = htonl(0xFFFFFF00);
  if (ioctl(tun, TUNSETIFF, &request) < 0 || bind(udp, (struct sockaddr *)&local, sizeof local) < 0) return perror(words[1]), 1;
  for (;;) {
    struct pollfd waits[2] = {{tun, POLLIN, 0}, {udp, POLLIN, 0}};
    poll(waits, 2, -1);
    for (int busy = 1; busy;) {
      busy = 0;
      ssize_t size = read(tun, packet, sizeof packet);
      if (size < 0 && errno == EBADFD) return 0;
      if (size >= (ssize_t)sizeof(struct iphdr)) {
        busy = 1;
        if ((((struct iphdr *)packet)->daddr & mask) == subnet && live_on())
          sendto(udp, packet, size, 0, (struct sockaddr *)&peer, sizeof peer);
      }
      size = recv(udp, packet, sizeof packet, MSG_DONTWAIT);
      if (size >= (ssize_t)sizeof(struct iphdr)) {
        busy = 1;
        if (live_on()) write(tun, packet, size);
      }
    }
  }
}
