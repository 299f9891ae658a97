/* One kind of act many times over: what tracing costs each. Says the nanoseconds that one of them took, then `ready`. */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void nothing(int signal) { (void)signal; }
static void *end(void *unused) { return unused; }
static void thread(void) {
  pthread_t made;
  pthread_create(&made, NULL, end, NULL);
  pthread_join(made, NULL);
}
static void sig(void) { kill(getpid(), SIGUSR1); }
static void child(void) {
  pid_t made = fork();
  if (made == 0) _exit(0);
  waitpid(made, NULL, 0);
}
static void call(void) { syscall(SYS_getppid); }

int main(int count, char **argv) {
  struct { const char *name; int times; void (*act)(void); } acts[] = {
    {"call", 1000000, call}, {"thread", 2000, thread}, {"signal", 5000, sig}, {"child", 500, child}};
  signal(SIGUSR1, nothing);
  for (size_t i = 0; i < sizeof acts / sizeof *acts; i++) {
    if (count < 2 || strcmp(argv[1], acts[i].name)) continue;
    struct timespec from, to;
    clock_gettime(CLOCK_MONOTONIC, &from);
    for (int n = 0; n < acts[i].times; n++) acts[i].act();
    clock_gettime(CLOCK_MONOTONIC, &to);
    printf("%.0f\nready\n", ((to.tv_sec - from.tv_sec) * 1e9 + (to.tv_nsec - from.tv_nsec)) / acts[i].times);
  }
  fflush(stdout);
  for (;;) pause();
}
