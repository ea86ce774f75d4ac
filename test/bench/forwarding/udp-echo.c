// UDP echo server and closed-loop client: `flows` sockets share a window of outstanding datagrams.
//
//   udp-echo server PORT ADDRESS...
//   udp-echo client ADDRESS PORT FLOWS WINDOW SIZE SECONDS      one JSON line: {"pps","n","lost","bad","p50","p99"}
//
// Each datagram carries its sequence number; a flow has at most one outstanding, lost after 200 ms.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 64, MAX_SIZE = 2048, LOST_NS = 200000000, SCAN_NS = 20000000, MAX_SAMPLES = 1 << 24 };

static uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static struct sockaddr_in address_of(const char *text, int port) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  if (inet_pton(AF_INET, text, &a.sin_addr) != 1) {
    fprintf(stderr, "not an IPv4 address: %s\n", text);
    exit(2);
  }
  return a;
}

static void die(const char *call) {
  perror(call);
  exit(1);
}

static void watch(int epoll, int fd, uint32_t tag) {
  struct epoll_event event = {.events = EPOLLIN, .data.u32 = tag};
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) die("epoll_ctl");
}

static void echo(int fd) {
  static char buffers[BATCH][MAX_SIZE];
  static struct sockaddr_in peers[BATCH];
  static struct iovec vectors[BATCH];
  static struct mmsghdr messages[BATCH];
  for (int i = 0; i < BATCH; i++) {
    vectors[i] = (struct iovec){buffers[i], MAX_SIZE};
    messages[i] = (struct mmsghdr){.msg_hdr = {.msg_name = &peers[i],
                                               .msg_namelen = sizeof peers[i],
                                               .msg_iov = &vectors[i],
                                               .msg_iovlen = 1}};
  }
  int count = recvmmsg(fd, messages, BATCH, MSG_DONTWAIT, NULL);
  if (count <= 0) return;
  for (int i = 0; i < count; i++) vectors[i].iov_len = messages[i].msg_len;
  sendmmsg(fd, messages, (unsigned)count, 0);
}

static int server(int argc, char **argv) {
  int port = atoi(argv[2]), epoll = epoll_create1(0);
  for (int i = 3; i < argc; i++) {
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0), size = 4 << 20;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
    setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size);
    struct sockaddr_in a = address_of(argv[i], port);
    if (bind(fd, (struct sockaddr *)&a, sizeof a) != 0) die("bind");
    watch(epoll, fd, (uint32_t)fd);
  }
  for (;;) {
    struct epoll_event events[16];
    int count = epoll_wait(epoll, events, 16, -1);
    for (int i = 0; i < count; i++) echo((int)events[i].data.u32);
  }
}

struct flow {
  int fd;
  uint64_t sequence; // 0: nothing outstanding
  uint64_t sent_at;
};

static struct flow *flows;
static int flow_count, next_flow, outstanding;
static size_t size;
static uint64_t sequence = 1, received, lost, bad;

static void send_one(void) {
  static char datagram[MAX_SIZE];
  for (int tried = 0; tried < flow_count; tried++) {
    struct flow *flow = &flows[next_flow];
    next_flow = (next_flow + 1) % flow_count;
    if (flow->sequence != 0) continue;
    flow->sequence = sequence++;
    flow->sent_at = now_ns();
    outstanding++;
    memcpy(datagram, &flow->sequence, sizeof flow->sequence);
    if (send(flow->fd, datagram, size, 0) < 0) bad++;
    return;
  }
}

static void give_up_on_lost(uint64_t now, int window) {
  for (int i = 0; i < flow_count; i++) {
    if (flows[i].sequence == 0 || now - flows[i].sent_at < LOST_NS) continue;
    flows[i].sequence = 0;
    outstanding--;
    lost++;
  }
  while (outstanding < window) send_one();
}

static int by_value(const void *a, const void *b) {
  uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return x < y ? -1 : x > y;
}

/// Returns the latency in microseconds, or -1 when this was not the awaited answer.
static int64_t receive(struct flow *flow) {
  char datagram[MAX_SIZE];
  ssize_t length = recv(flow->fd, datagram, sizeof datagram, 0);
  uint64_t answered = 0;
  if (length >= (ssize_t)sizeof answered) memcpy(&answered, datagram, sizeof answered);
  if (length != (ssize_t)size || answered != flow->sequence) {
    if (length >= 0 || errno != EAGAIN) bad++;
    return -1;
  }
  flow->sequence = 0;
  outstanding--;
  received++;
  return (int64_t)((now_ns() - flow->sent_at) / 1000);
}

static int client(char **argv) {
  struct sockaddr_in target = address_of(argv[2], atoi(argv[3]));
  int window = atoi(argv[5]), epoll = epoll_create1(0);
  double seconds = atof(argv[7]);
  flow_count = atoi(argv[4]);
  size = (size_t)atoi(argv[6]);
  if (size < sizeof(uint64_t) || size > MAX_SIZE) return 2;
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  flows = calloc((size_t)flow_count, sizeof *flows);
  uint32_t *samples = malloc(MAX_SAMPLES * sizeof *samples);
  size_t sample_count = 0;
  for (int i = 0; i < flow_count; i++) {
    flows[i].fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    if (flows[i].fd < 0) die("socket");
    if (connect(flows[i].fd, (struct sockaddr *)&target, sizeof target) != 0) die("connect");
    watch(epoll, flows[i].fd, (uint32_t)i);
  }
  uint64_t begin = now_ns(), end = begin + (uint64_t)(seconds * 1e9), scanned = begin;
  while (outstanding < window) send_one();
  for (uint64_t now = begin; now < end; now = now_ns()) {
    if (now - scanned > SCAN_NS) {
      scanned = now;
      give_up_on_lost(now, window);
    }
    struct epoll_event events[128];
    int count = epoll_wait(epoll, events, 128, 10);
    for (int i = 0; i < count; i++) {
      int64_t latency = receive(&flows[events[i].data.u32]);
      if (latency < 0) continue;
      if (sample_count < MAX_SAMPLES) samples[sample_count++] = (uint32_t)latency;
      send_one();
    }
  }
  double elapsed = (double)(now_ns() - begin) / 1e9;
  qsort(samples, sample_count, sizeof *samples, by_value);
  uint32_t p50 = sample_count ? samples[sample_count / 2] : 0;
  uint32_t p99 = sample_count ? samples[sample_count * 99 / 100] : 0;
  printf("{\"pps\":%.0f,\"n\":%lu,\"lost\":%lu,\"bad\":%lu,\"p50\":%u,\"p99\":%u}\n", (double)received / elapsed,
         (unsigned long)received, (unsigned long)lost, (unsigned long)bad, p50, p99);
  return 0;
}

int main(int argc, char **argv) {
  if (argc > 3 && strcmp(argv[1], "server") == 0) return server(argc, argv);
  if (argc == 8 && strcmp(argv[1], "client") == 0) return client(argv);
  fprintf(stderr, "usage: see the head of udp-echo.c\n");
  return 2;
}
