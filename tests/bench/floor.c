/* A lower limit for servers: accept N connections, then only send. Each record of 16 bytes on stdin
   is the time of an event in microseconds; the program sends one frame to the next SHARE
   connections. At the end of stdin it prints the sends and its microseconds of CPU per send.
   Usage: floor PORT N FRAME_BYTES SHARE
   See docs/decisions/0091-only-ratios-can-regress.md. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static double cpu(void) {
  struct rusage u;
  getrusage(RUSAGE_SELF, &u);
  return u.ru_utime.tv_sec + u.ru_stime.tv_sec + (u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

int main(int argc, char **argv) {
  if (argc != 5) return 2;
  int n = atoi(argv[2]), size = atoi(argv[3]), share = atoi(argv[4]), next = 0;
  static const char head[] =
      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
      "data: {\"type\":\"connected\"}\nid: 0-0\n\n";
  static const char start[] = "event: stream.floor\ndata: {\"publishedAt\":";
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[1])),
                           .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int one = 1, server = socket(AF_INET, SOCK_STREAM, 0), *fds = malloc(n * sizeof *fds);
  setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind(server, (void *)&at, sizeof at) || listen(server, 4096)) return 1;
  puts("listening");
  fflush(stdout);
  char request[4096], stamp[16], *frame = malloc(size);
  for (int i = 0; i < n; i++) {
    if ((fds[i] = accept(server, 0, 0)) < 0 || read(fds[i], request, sizeof request) < 0) return 1;
    if (send(fds[i], head, sizeof head - 1, 0) < 0) return 1;
  }
  memset(frame, 'x', size);
  memcpy(frame, start, sizeof start - 1);
  memcpy(frame + size - 2, "\n\n", 2);
  double before = cpu();
  long sent = 0;
  while (read(0, stamp, sizeof stamp) == sizeof stamp) {
    memcpy(frame + sizeof start - 1, stamp, sizeof stamp);
    for (int i = 0; i < share; i++, next = (next + 1) % n)
      sent += send(fds[next], frame, size, MSG_DONTWAIT | MSG_NOSIGNAL) == size;
  }
  printf("{\"sent\": %ld, \"us\": %.3f}\n", sent, (cpu() - before) * 1e6 / sent);
  fflush(stdout);
  pause(); /* the connections stay open until the clients have read everything */
}
