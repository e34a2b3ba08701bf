/* Many SSE clients in one process that need little CPU, so that the server is what is measured.

   Usage: swarm PORT SOURCE EXPECTED AT_ONCE GREETING HEADERS. Reads one path a line from stdin, then
   an empty line. Prints a line of JSON when all connections are open. Ends when it reads another
   line, or when each connection has EXPECTED events (0: never), and prints the results as JSON.
   Each connection counts its events and checks that their ids increase. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

enum { BUFFER = 1 << 20, READ = 1 << 18, SAMPLED = 1000, GZIP_HEADER = 10 };

typedef struct {
  int fd, connected, ended, disorder, sampled, gzip;
  long events;
  unsigned long long toid, n; /* the position of the last event */
  char *path, *rest;          /* unparsed bytes */
  size_t rest_size;
} Client;

static Client *clients;
static int count, expected, waiting, ended, finished, epoll;
static const char *greeting, *headers;
static double last_event_at, *latencies;
static long latency_count, latency_room;
static unsigned long long bytes_read;
static char buffer[BUFFER], text[BUFFER];

static void *checked(void *memory) {
  if (!memory) abort();
  return memory;
}

static double now(clockid_t clock) {
  struct timespec at;
  clock_gettime(clock, &at);
  return at.tv_sec + at.tv_nsec / 1e9;
}

static void sample(double latency) {
  if (latency_count == latency_room) {
    latency_room = latency_room ? 2 * latency_room : 1024;
    latencies = checked(realloc(latencies, latency_room * sizeof *latencies));
  }
  latencies[latency_count++] = latency;
}

/* The number behind a label between two places; 0 without the label. */
static unsigned long long number(const char *from, const char *to, const char *label) {
  char *at = memmem(from, to - from, label, strlen(label));
  return at ? strtoull(at + strlen(label), 0, 10) : 0;
}

/* The position in `id: TOID-N` at the end of a frame. Other formats of ids are not checked. */
static void check_order(Client *c, const char *frame, const char *end) {
  const char *from = end - frame > 64 ? end - 64 : frame;
  char *at = memmem(from, end - from, "\nid: ", 5), *dash;
  if (!at) return;
  unsigned long long toid = strtoull(at + 5, &dash, 10), n;
  if (*dash != '-' || !isdigit((unsigned char)dash[1])) return;
  n = strtoull(dash + 1, &dash, 10);
  if (dash != end) return;
  c->disorder += toid < c->toid || (toid == c->toid && n <= c->n);
  c->toid = toid, c->n = n;
}

static void event(Client *c, const char *frame, const char *end) {
  if (++c->events == expected) finished++;
  check_order(c, frame, end);
  if (c->sampled)
    sample(now(CLOCK_REALTIME) - number(frame, end, "\"publishedAt\":") / 1e6);
  last_event_at = now(CLOCK_MONOTONIC);
}

/* Count the events of whole frames. Returns the start of the first frame that is not whole. */
static char *parse(Client *c, char *from, char *to) {
  char *end;
  if (!c->connected && memmem(from, to - from, greeting, strlen(greeting)))
    c->connected = 1, waiting--;
  for (; (end = memmem(from, to - from, "\n\n", 2)); from = end + 2) {
    size_t size = end - from; /* 64 bytes, because the size of a chunk or an id may come first */
    if (memmem(from, size < 64 ? size : 64, "event: stream.", 14)) event(c, from, end);
  }
  return from;
}

/* The text of a compressed block. The same block comes to all clients, so the last one is kept. */
static size_t inflated(char *block, size_t size) {
  static char last[BUFFER];
  static size_t last_size, text_size;
  static z_stream z;
  static int used;
  if (size == last_size && !memcmp(last, block, size)) return text_size;
  if (used++ ? inflateReset(&z) : inflateInit2(&z, -15)) abort();
  z.next_in = (void *)block, z.avail_in = size, z.next_out = (void *)text, z.avail_out = BUFFER;
  if (inflate(&z, Z_SYNC_FLUSH) != Z_OK || z.avail_in) abort();
  memcpy(last, block, last_size = size);
  return text_size = BUFFER - z.avail_out;
}

/* A full flush ends each compressed block, and a block has whole frames. */
static char *parse_blocks(Client *c, char *from, char *to) {
  for (char *end; (end = memmem(from, to - from, "\0\0\xff\xff", 4)); from = end + 4) {
    size_t size = inflated(from, end + 4 - from);
    if (parse(c, text, text + size) != text + size) abort();
  }
  return from;
}

/* The head of a compressed response, which ends where the compressed bytes begin. */
static char *parse_head(Client *c, char *from, char *to) {
  char *end = memmem(from, to - from, "\r\n\r\n", 4);
  if (c->connected || !end || !memmem(from, end - from, "Content-Encoding: gzip", 22)) return from;
  if (to - end < 4 + GZIP_HEADER) return from;
  c->gzip = 1;
  return end + 4 + GZIP_HEADER;
}

static void finish(Client *c) {
  c->ended = 1, ended++;
  waiting -= !c->connected;
  close(c->fd);
}

static void receive(Client *c) {
  if (c->rest_size) memcpy(buffer, c->rest, c->rest_size);
  ssize_t size = recv(c->fd, buffer + c->rest_size, READ, 0);
  if (size <= 0) {
    if (size == 0 || errno != EAGAIN) finish(c);
    return;
  }
  bytes_read += size;
  char *from = buffer, *to = buffer + c->rest_size + size;
  if (!c->gzip) from = parse_head(c, from, to);
  from = c->gzip ? parse_blocks(c, from, to) : parse(c, from, to);
  if (to - from > BUFFER - READ) abort();
  c->rest_size = to - from;
  if (!c->rest_size) return;
  c->rest = checked(realloc(c->rest, c->rest_size));
  memcpy(c->rest, from, c->rest_size);
}

static void request(Client *c) {
  char head[8192];
  int size = snprintf(head, sizeof head,
                      "GET %s HTTP/1.1\r\nHost: bench\r\nAccept: text/event-stream\r\n%s\r\n",
                      c->path, headers);
  struct epoll_event interest = {.events = EPOLLIN, .data.ptr = c};
  if (send(c->fd, head, size, MSG_NOSIGNAL) != size) return finish(c);
  epoll_ctl(epoll, EPOLL_CTL_MOD, c->fd, &interest);
}

/* From one of many loopback addresses, because an address has ports for 28,000 connections. */
static void open_connection(Client *c, int number, int port, int source) {
  int one = 1, host = source + number / 5000;
  struct sockaddr_in own = {.sin_family = AF_INET}, server = {.sin_family = AF_INET};
  own.sin_addr.s_addr = htonl(0x7f000000 | host / 250 << 8 | (host % 250 + 2));
  server.sin_addr.s_addr = htonl(INADDR_LOOPBACK), server.sin_port = htons(port);
  c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  /* Bind without a port: with one, bind would search all used ports. */
  setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
  struct epoll_event interest = {.events = EPOLLOUT, .data.ptr = c};
  if (c->fd < 0 || bind(c->fd, (void *)&own, sizeof own)) abort();
  if (connect(c->fd, (void *)&server, sizeof server) && errno != EINPROGRESS) abort();
  epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &interest);
  waiting++;
}

/* Handle what is ready. Returns whether stdin is ready. */
static int poll_all(int milliseconds) {
  struct epoll_event ready[512];
  int stop = 0, size = epoll_wait(epoll, ready, 512, milliseconds);
  for (int i = 0; i < size; i++) {
    Client *c = ready[i].data.ptr;
    if (!c) stop = 1;
    else if (ready[i].events & EPOLLOUT) request(c);
    else receive(c);
  }
  return stop;
}

static void read_paths(void) {
  char *line = 0;
  size_t room = 0;
  for (ssize_t size; (size = getline(&line, &room, stdin)) > 1; count++) {
    line[size - 1] = 0;
    clients = checked(realloc(clients, (count + 1) * sizeof *clients));
    clients[count] = (Client){.path = checked(strdup(line))};
  }
}

static void print_results(double began) {
  int disorder = 0;
  printf("{\"events\": [");
  for (int i = 0; i < count; i++) {
    printf(i ? ",%ld" : "%ld", clients[i].events);
    disorder += clients[i].disorder;
  }
  printf("], \"latencies\": [");
  for (long i = 0; i < latency_count; i++) printf(i ? ",%.6f" : "%.6f", latencies[i]);
  printf("], \"disorder\": %d, \"ended\": %d, \"bytes\": %llu, ", disorder, ended, bytes_read);
  printf("\"until_last\": %.6f, \"last_event_at\": %.6f}\n", last_event_at - began, last_event_at);
}

int main(int argc, char **argv) {
  if (argc != 7) return 2;
  int port = atoi(argv[1]), source = atoi(argv[2]), at_once = atoi(argv[4]), started = 0;
  expected = atoi(argv[3]), greeting = argv[5], headers = argv[6];
  read_paths();
  epoll = epoll_create1(0);
  double began = now(CLOCK_MONOTONIC);
  while (started < count || waiting) {
    for (; started < count && waiting < at_once; started++) {
      clients[started].sampled = started % (count / SAMPLED + 1) == 0;
      open_connection(&clients[started], started, port, source);
    }
    poll_all(1000);
  }
  double seconds = now(CLOCK_MONOTONIC) - began;
  printf("{\"connected\": %d, \"seconds\": %.3f}\n", count - ended, seconds);
  fflush(stdout);
  struct epoll_event input = {.events = EPOLLIN};
  epoll_ctl(epoll, EPOLL_CTL_ADD, 0, &input);
  while (!poll_all(100) && !(expected && (ended || finished == count))) {}
  epoll_ctl(epoll, EPOLL_CTL_DEL, 0, &input);
  while (now(CLOCK_MONOTONIC) < last_event_at + 1) poll_all(100); /* events on their way */
  print_results(began);
  return 0;
}
