// What the failover bench measures with: a UDP probe every millisecond with absolute deadlines, and the echo.
//
//   failover-probe echo NAME PORT           answers on every address, from the one that was asked; adds NAME's letter
//   failover-probe probe PORT ADDRESS...    one probe a millisecond to each address; obeys lines on its input:
//
//     fault MICROS   waits for the next VRRP advertisement on the link (5 s at most) and then MICROS; begins a new
//                    window and says "now": the caller injects the fault at a known phase of the advertisements
//     mark           begins a new window and says "now"
//     ask            says how many milliseconds each address has been silent: [0.4, 12.0]
//     end            (or the end of the input) says for each window and address, and ends:
//                    [[{"sent","lost","gap","open","from","by","moves","gaps":[[from,length],...]}, ...], ...]
//
// An answer counts when it came within half a second. gap: the longest time between two answers, in ms; from: when it began, after the window did; open: no answer came
// after it; by: whose answer was the last; moves: how often another node answered than before; gaps: the first ones
// above 20 ms. The window in front of the first mark is left out.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum {
  PERIOD_NS = 1000000,
  MAX_BEHIND = 20, // deadlines that a late wake-up still sends for
  MAX_PROBES = 120000,
  MAX_TARGETS = 3,
  MAX_WINDOWS = 8,
  MAX_GAPS = 8,
  LISTED_GAP_NS = 20000000,
  LATE_NS = 500000000, // an answer after that is none: a stopped node answers when it wakes up
  ADVERT_LIMIT_S = 5,
  REALTIME = 60,
  VRRP = 112,
};

struct datagram {
  uint64_t number;
  char by;
};

struct receipt {
  uint64_t at;
  char by;
};

struct target {
  int fd;
  uint64_t sent, received;
  uint64_t *sent_at;  // by number
  uint8_t *answered;  // by number
  struct receipt *receipts;
};

static struct target targets[MAX_TARGETS];
static int target_count;
static uint64_t windows[MAX_WINDOWS];
static int window_count;
static uint64_t fault_phase, fault_asked, fault_at; // 0: no fault wanted, no advertisement yet

static void die(const char *call) {
  perror(call);
  exit(1);
}

static uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/// What measures must not be what is late. Without the privilege the figures are only noisier.
static void hurry(int priority) {
  struct sched_param parameter = {.sched_priority = priority};
  sched_setscheduler(0, SCHED_FIFO, &parameter);
  mlockall(MCL_CURRENT | MCL_FUTURE);
}

static _Noreturn void echo(const char *name, int port) {
  int fd = socket(AF_INET6, SOCK_DGRAM, 0), off = 0, on = 1, size = 4 << 20;
  if (fd < 0) die("socket");
  setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
  // IPv4 as well: its addresses come mapped
  if (setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof on) != 0) die("IPV6_RECVPKTINFO");
  struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
  if (bind(fd, (struct sockaddr *)&any, sizeof any) != 0) die("bind");
  for (;;) {
    struct datagram probe;
    struct sockaddr_in6 peer;
    char control[CMSG_SPACE(sizeof(struct in6_pktinfo))];
    struct iovec vector = {&probe, sizeof probe};
    struct msghdr message = {.msg_name = &peer,
                             .msg_namelen = sizeof peer,
                             .msg_iov = &vector,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = sizeof control};
    if (recvmsg(fd, &message, 0) != (ssize_t)sizeof probe) continue;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (header == NULL || header->cmsg_type != IPV6_PKTINFO) continue;
    // the source of the answer is what was asked; which interface is the routing table's business
    struct in6_pktinfo info;
    memcpy(&info, CMSG_DATA(header), sizeof info);
    info.ipi6_ifindex = 0;
    memcpy(CMSG_DATA(header), &info, sizeof info);
    probe.by = name[0];
    sendmsg(fd, &message, 0); // fails while the address is not here: no answer, which is what is measured
  }
}

static void open_target(const char *address, int port) {
  struct target *target = &targets[target_count++];
  struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
  int is_six = inet_pton(AF_INET6, address, &six.sin6_addr) == 1, size = 1 << 20;
  if (!is_six && inet_pton(AF_INET, address, &four.sin_addr) != 1) {
    fprintf(stderr, "not an address: %s\n", address);
    exit(2);
  }
  target->fd = socket(is_six ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
  if (target->fd < 0) die("socket");
  setsockopt(target->fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
  struct sockaddr *to = is_six ? (struct sockaddr *)&six : (struct sockaddr *)&four;
  if (connect(target->fd, to, is_six ? sizeof six : sizeof four) != 0) die("connect");
  target->sent_at = calloc(MAX_PROBES, sizeof *target->sent_at);
  target->answered = calloc(MAX_PROBES, sizeof *target->answered);
  target->receipts = calloc(MAX_PROBES, sizeof *target->receipts);
  if (!target->sent_at || !target->answered || !target->receipts) die("calloc");
}

/// Hears the advertisements of both families, as any host on the link can.
static int open_vrrp(int family) {
  int fd = socket(family, SOCK_RAW | SOCK_NONBLOCK, VRRP);
  if (fd < 0) die("raw socket");
  int result;
  if (family == AF_INET) {
    struct ip_mreqn group = {.imr_ifindex = (int)if_nametoindex("eth0")};
    inet_pton(AF_INET, "224.0.0.18", &group.imr_multiaddr);
    result = setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof group);
  } else {
    struct ipv6_mreq group = {.ipv6mr_interface = if_nametoindex("eth0")};
    inet_pton(AF_INET6, "ff02::12", &group.ipv6mr_multiaddr);
    result = setsockopt(fd, IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, &group, sizeof group);
  }
  if (result != 0) die("join");
  return fd;
}

static void send_probe(struct target *target) {
  if (target->sent >= MAX_PROBES) return;
  struct datagram probe = {.number = target->sent, .by = '?'};
  target->sent_at[target->sent++] = now_ns();
  // the first call may only report an ICMP error for an earlier probe
  if (send(target->fd, &probe, sizeof probe, 0) < 0) send(target->fd, &probe, sizeof probe, 0);
}

static void receive(struct target *target) {
  struct datagram probe;
  for (ssize_t length; (length = recv(target->fd, &probe, sizeof probe, 0)) >= 0 || errno != EAGAIN;) {
    if (length != (ssize_t)sizeof probe || probe.number >= target->sent) continue;
    if (target->answered[probe.number] || target->received >= MAX_PROBES) continue; // two nodes answered
    uint64_t now = now_ns();
    if (now - target->sent_at[probe.number] > LATE_NS) continue;
    target->answered[probe.number] = 1;
    target->receipts[target->received++] = (struct receipt){now, probe.by};
  }
}

static void mark(void) {
  if (window_count >= MAX_WINDOWS) exit(2);
  windows[window_count++] = now_ns();
  puts("now");
}

static void say_silence(void) {
  uint64_t now = now_ns();
  for (int i = 0; i < target_count; i++) {
    struct target *target = &targets[i];
    double silent = target->received == 0 ? 1e9 : (double)(now - target->receipts[target->received - 1].at) / 1e6;
    printf("%s%.1f", i == 0 ? "[" : ", ", silent);
  }
  puts("]");
}

static void report_one(struct target *target, uint64_t begin, uint64_t end) {
  uint64_t sent = 0, lost = 0, gap = 0, gap_from = begin, last = begin, listed[MAX_GAPS][2];
  int open = 0, moves = 0, listed_count = 0;
  char by = 0;
  for (uint64_t i = 0; i < target->sent; i++) {
    if (target->sent_at[i] < begin || target->sent_at[i] >= end) continue;
    sent++;
    if (!target->answered[i]) lost++;
  }
  for (uint64_t i = 0; i <= target->received; i++) {
    int at_end = i == target->received || target->receipts[i].at >= end;
    uint64_t at = at_end ? end : target->receipts[i].at;
    if (!at_end && at < begin) {
      by = target->receipts[i].by;
      continue;
    }
    if (at - last > gap) {
      gap = at - last;
      gap_from = last;
      open = at_end;
    }
    if (at - last > LISTED_GAP_NS && listed_count < MAX_GAPS) {
      listed[listed_count][0] = last - begin;
      listed[listed_count++][1] = at - last;
    }
    last = at;
    if (at_end) break;
    if (by != 0 && by != target->receipts[i].by) moves++;
    by = target->receipts[i].by;
  }
  printf("{\"sent\":%lu,\"lost\":%lu,\"gap\":%.2f,\"from\":%.1f,\"open\":%s,\"by\":\"%c\",\"moves\":%d,\"gaps\":[",
         (unsigned long)sent, (unsigned long)lost, (double)gap / 1e6, (double)(gap_from - begin) / 1e6,
         open && gap > LISTED_GAP_NS ? "true" : "false", by == 0 ? '-' : by, moves);
  for (int i = 0; i < listed_count; i++)
    printf("%s[%.1f,%.1f]", i == 0 ? "" : ",", (double)listed[i][0] / 1e6, (double)listed[i][1] / 1e6);
  printf("]}");
}

static void report(void) {
  uint64_t end = now_ns();
  printf("[");
  for (int w = 0; w < window_count; w++) {
    uint64_t until = w + 1 < window_count ? windows[w + 1] : end;
    printf("%s[", w == 0 ? "" : ",");
    for (int i = 0; i < target_count; i++) {
      if (i > 0) printf(",");
      report_one(&targets[i], windows[w], until);
    }
    printf("]");
  }
  puts("]");
}

static void obey(const char *line) {
  if (strncmp(line, "fault ", 6) == 0) {
    fault_phase = strtoull(line + 6, NULL, 10) * 1000;
    fault_asked = now_ns();
    fault_at = 0;
  } else if (strcmp(line, "mark") == 0) {
    mark();
  } else if (strcmp(line, "ask") == 0) {
    say_silence();
  } else if (strcmp(line, "end") == 0) {
    report();
    exit(0);
  }
}

static void read_input(void) {
  static char line[256];
  static size_t used;
  ssize_t length = read(STDIN_FILENO, line + used, sizeof line - 1 - used);
  if (length <= 0) {
    report();
    exit(0);
  }
  used += (size_t)length;
  line[used] = 0;
  for (char *end; (end = strchr(line, '\n')) != NULL;) {
    *end = 0;
    obey(line);
    used -= (size_t)(end + 1 - line);
    memmove(line, end + 1, used + 1);
  }
}

static void heard_vrrp(int fd) {
  char packet[2048];
  int heard = 0;
  while (recv(fd, packet, sizeof packet, 0) >= 0) heard = 1;
  if (heard && fault_asked != 0 && fault_at == 0) fault_at = now_ns() + fault_phase;
}

static void on_time(int timer) {
  uint64_t expired = 0;
  if (read(timer, &expired, sizeof expired) != (ssize_t)sizeof expired) return;
  if (expired > MAX_BEHIND) expired = MAX_BEHIND;
  for (uint64_t n = 0; n < expired; n++)
    for (int i = 0; i < target_count; i++) send_probe(&targets[i]);
  uint64_t now = now_ns();
  if (fault_asked == 0) return;
  // nobody advertises: at any phase, then
  if (fault_at == 0 && now > fault_asked + (uint64_t)ADVERT_LIMIT_S * 1000000000) fault_at = now;
  if (fault_at == 0 || now < fault_at) return;
  fault_asked = 0;
  mark();
}

static _Noreturn void probe(int argc, char **argv) {
  for (int i = 3; i < argc && target_count < MAX_TARGETS; i++) open_target(argv[i], atoi(argv[2]));
  int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
  struct itimerspec every = {.it_interval = {0, PERIOD_NS}, .it_value = {0, PERIOD_NS}};
  if (timer < 0 || timerfd_settime(timer, 0, &every, NULL) != 0) die("timerfd");
  setvbuf(stdout, NULL, _IOLBF, 0);
  struct pollfd watched[4 + MAX_TARGETS] = {
      {timer, POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}, {open_vrrp(AF_INET), POLLIN, 0}, {open_vrrp(AF_INET6), POLLIN, 0}};
  for (int i = 0; i < target_count; i++) watched[4 + i] = (struct pollfd){targets[i].fd, POLLIN, 0};
  hurry(REALTIME);
  for (;;) {
    if (poll(watched, (nfds_t)(4 + target_count), -1) < 0) continue;
    // answers first: they are what is timed
    for (int i = 0; i < target_count; i++)
      if (watched[4 + i].revents != 0) receive(&targets[i]);
    if (watched[0].revents != 0) on_time(timer);
    if (watched[2].revents != 0) heard_vrrp(watched[2].fd);
    if (watched[3].revents != 0) heard_vrrp(watched[3].fd);
    if (watched[1].revents != 0) read_input();
  }
}

int main(int argc, char **argv) {
  if (argc == 4 && strcmp(argv[1], "echo") == 0) {
    hurry(REALTIME - 1);
    echo(argv[2], atoi(argv[3]));
  }
  if (argc >= 4 && strcmp(argv[1], "probe") == 0) probe(argc, argv);
  fprintf(stderr, "usage: see the head of failover-probe.c\n");
  return 2;
}
