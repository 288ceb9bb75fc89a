// The forwarder of the udp backend: a process of its own, so that packets go on while the daemon restarts. It attaches to a TUN device,
// made if it is not there, and carries packets between it and a UDP socket until the device is gone or it is told to end.
// `flannel-forwarder DEVICE LOCAL PORT SELF NAME`: prints "ready" and lives on, or says why not on standard error and ends with 1.
#define _GNU_SOURCE
#include "control.h"
#include <linux/capability.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

static int fail(const char *what, int error) {
  fprintf(stderr, "%s: %s\n", what, strerror(error));
  return 1;
}

// Keeps IPv6 from configuring the device by itself; without IPv6 there is nothing to keep.
static void set_ipv6(const char *device, const char *setting, const char *value) {
  char path[128];
  snprintf(path, sizeof path, "/proc/sys/net/ipv6/conf/%s/%s", device, setting);
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return;
  ssize_t written = write(fd, value, 1);
  (void)written;
  close(fd);
}

// Attaches to a device that stays. Only one process at a time can.
static int attach(const char *device) {
  struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
  if (strlen(device) >= sizeof request.ifr_name) return errno = ENAMETOOLONG, -1;
  strcpy(request.ifr_name, device);
  int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return -1;
  if (ioctl(fd, TUNSETIFF, &request) < 0 || ioctl(fd, TUNSETPERSIST, 1) < 0) {
    int error = errno;
    close(fd);
    return errno = error, -1;
  }
  set_ipv6(device, "addr_gen_mode", "1");  // IN6_ADDR_GEN_MODE_NONE of linux/if_link.h
  set_ipv6(device, "accept_ra", "0");
  return fd;
}

// Gives up every right but those a move to another address and port takes.
static void give_up_rights(void) {
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct rights[2];
  if (syscall(SYS_capget, &header, rights) < 0) return;
  uint32_t kept = 1u << CAP_NET_ADMIN | 1u << CAP_NET_BIND_SERVICE;
  rights[0].permitted &= kept;
  rights[0].effective = rights[0].permitted;
  rights[1].permitted = rights[1].effective = 0;
  rights[0].inheritable = rights[1].inheritable = 0;
  syscall(SYS_capset, &header, rights);
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

static void run(Control *control) {
  Forwarder *it = control->forwarder;
  struct pollfd waits[3 + MOST_CALLERS];
  while (!control->end && !it->gone) {
    waits[0] = (struct pollfd){it->tun, POLLIN, 0};
    waits[1] = (struct pollfd){it->udp, POLLIN, 0};
    waits[2] = (struct pollfd){control->listener, POLLIN, 0};
    for (int i = 0; i < MOST_CALLERS; i++) waits[3 + i] = (struct pollfd){control->callers[i].fd, POLLIN, 0};
    if (poll(waits, 3 + MOST_CALLERS, -1) < 0) continue;
    for (int i = 0; i < MOST_CALLERS; i++)
      if (waits[3 + i].revents != 0 && !listen_to(control, &control->callers[i])) hang_up(&control->callers[i]);
    if (waits[2].revents != 0) take_caller(control);
    // A device that is deleted reports an error for ever.
    if (waits[0].revents != 0 && !from_tun(it) && (waits[0].revents & POLLERR) != 0) it->gone = true;
    if (waits[1].revents != 0) from_udp(it);
  }
}

int main(int count, char **words) {
  static Forwarder forwarder;
  static Control control = {.forwarder = &forwarder};
  if (count != 6) return fprintf(stderr, "usage: flannel-forwarder DEVICE LOCAL PORT SELF NAME\n"), 2;
  for (int i = 0; i < MOST_CALLERS; i++) control.callers[i].fd = -1;
  control.local = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(atoi(words[3]))};
  if (inet_pton(AF_INET, words[2], &control.local.sin_addr) != 1 || inet_pton(AF_INET, words[4], &forwarder.self) != 1)
    return fail(words[2], EINVAL);
  // Until it is told whom to take packets from, it takes none.
  forwarder.guarded = true;
  control.listener = listen_at(words[5]);
  if (control.listener < 0) return fail("another forwarder", errno);
  forwarder.tun = attach(words[1]);
  if (forwarder.tun < 0) return fail(words[1], errno);
  forwarder.udp = open_udp(&control.local);
  if (forwarder.udp < 0) return fail("its UDP port", -forwarder.udp);
  if (!make_buffers(&forwarder)) return fail("buffers", errno);
  signal(SIGPIPE, SIG_IGN);
  signal(SIGHUP, SIG_IGN);
  if (chdir("/") < 0) return fail("/", errno);
  prctl(PR_SET_NAME, "flannel-fwd", 0, 0, 0);
  give_up_rights();
  if (write(1, "ready\n", 6) < 0) return 1;
  int null = open("/dev/null", O_RDWR);
  if (null >= 0) dup2(null, 0), dup2(null, 1), dup2(null, 2);
  if (null > 2) close(null);
  run(&control);
  return 0;
}
