// A NAT in a program: UDP datagrams to one port that arrive on one device leave by another, with the link-layer addresses of the
// next stretch. It takes the outer sum off, as it would have to change it with the address, and knows nothing of what is
// inside. It sees what is in memory: a sum inside that the sender left to its hardware is never made.
// Arguments: device in, device out, address of the next host, its MAC, the port.
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static int on(const char *device, struct ifreq *request) {
  struct sockaddr_ll name = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IP), .sll_ifindex = if_nametoindex(device)};
  int fd = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_IP));
  strncpy(request->ifr_name, device, IFNAMSIZ - 1);
  if (fd < 0 || bind(fd, (struct sockaddr *)&name, sizeof name) < 0 || ioctl(fd, SIOCGIFHWADDR, request) < 0) exit(1);
  return fd;
}

int main(int argc, char **argv) {
  if (argc != 6) return 2;
  struct ifreq near = {0}, far = {0};
  int in = on(argv[1], &near), out = on(argv[2], &far);
  unsigned char frame[65536], to[6];
  unsigned int byte[6];
  in_addr_t next = inet_addr(argv[3]);
  if (sscanf(argv[4], "%x:%x:%x:%x:%x:%x", byte, byte + 1, byte + 2, byte + 3, byte + 4, byte + 5) != 6) return 2;
  for (int i = 0; i < 6; i++) to[i] = byte[i];
  printf("copying\n");
  fflush(stdout);
  for (;;) {
    ssize_t length = read(in, frame, sizeof frame);
    if (length < 42 || memcmp(frame, near.ifr_hwaddr.sa_data, 6) != 0) continue;
    if (frame[23] != 17 || memcmp(frame + 30, &next, 4) != 0 || ntohs(*(unsigned short *)(frame + 36)) != atoi(argv[5])) continue;
    memset(frame + 40, 0, 2);
    memcpy(frame, to, 6);
    memcpy(frame + 6, far.ifr_hwaddr.sa_data, 6);
    if (write(out, frame, length) < 0) perror("write");
  }
}
