/* A lower limit for servers: accept N connections, then only send, R times a second for S seconds,
   each time to the next SHARE connections. Prints microseconds of CPU per send.
   Usage: floor PORT N FRAME_BYTES RATE SECONDS SHARE */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static double cpu(void) {
  struct rusage u;
  getrusage(RUSAGE_SELF, &u);
  return u.ru_utime.tv_sec + u.ru_stime.tv_sec + (u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

int main(int argc, char **argv) {
  if (argc != 7) return 2;
  int n = atoi(argv[2]), size = atoi(argv[3]), rate = atoi(argv[4]), seconds = atoi(argv[5]);
  int share = atoi(argv[6]), next = 0;
  static const char head[] =
      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
      "data: {\"type\":\"connected\"}\nid: 0-0\n\n";
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[1])),
                           .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int one = 1, server = socket(AF_INET, SOCK_STREAM, 0), *fds = malloc(n * sizeof *fds);
  setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind(server, (void *)&at, sizeof at) || listen(server, 4096)) return 1;
  puts("listening");
  fflush(stdout);
  char request[4096], *frame = malloc(size);
  for (int i = 0; i < n; i++) {
    if ((fds[i] = accept(server, 0, 0)) < 0 || read(fds[i], request, sizeof request) < 0) return 1;
    if (send(fds[i], head, sizeof head - 1, 0) < 0) return 1;
  }
  memset(frame, 'x', size);
  memcpy(frame, "data: ", 6);
  memcpy(frame + size - 2, "\n\n", 2);
  if (scanf("%*s") == EOF) return 1; /* until told to begin */
  double before = cpu();
  long sent = 0;
  for (int event = 0; event < rate * seconds; event++) {
    for (int i = 0; i < share; i++, next = (next + 1) % n)
      sent += send(fds[next], frame, size, MSG_DONTWAIT | MSG_NOSIGNAL) == size;
    struct timespec pause = {.tv_sec = 0, .tv_nsec = 1000000000L / rate};
    nanosleep(&pause, 0);
  }
  printf("{\"sent\": %ld, \"us\": %.3f}\n", sent, (cpu() - before) * 1e6 / sent);
  return 0;
}
