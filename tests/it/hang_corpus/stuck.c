/* Ways to stand still, and to work so that it hardly shows. Compiled once for the corpus; see mod.rs beside it. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static pthread_mutex_t a = PTHREAD_MUTEX_INITIALIZER, b = PTHREAD_MUTEX_INITIALIZER;

static void take(pthread_mutex_t *first, pthread_mutex_t *second) {
  pthread_mutex_lock(first);
  usleep(200 * 1000);
  pthread_mutex_lock(second);
}

static void *other_way_round(void *unused) {
  take(&b, &a);
  return unused;
}

static void *asleep(void *unused) {
  for (;;) pause();
  return unused;
}

static void *computing(void *unused) {
  for (volatile uint64_t n = 0;; n++) continue;
  return unused;
}

static void begin(void *(*thread)(void *)) {
  pthread_t made;
  if (pthread_create(&made, NULL, thread, NULL)) exit(9);
}

/* A deadlock of which everybody now and then asks whether it is over. */
static void impatient(void) {
  pthread_cond_t never = PTHREAD_COND_INITIALIZER;
  pthread_mutex_lock(&a);
  for (;;) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += 100 * 1000 * 1000;
    if (until.tv_nsec >= 1000000000) until.tv_nsec -= 1000000000, until.tv_sec++;
    pthread_cond_timedwait(&never, &a, &until);
  }
}

/* Writes to a file through memory, a page at a time: no call reads or writes anything. */
static void through_memory(const char *path) {
  const size_t page = 4096, pages = 4096;
  int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
  if (fd < 0 || ftruncate(fd, page * pages)) exit(9);
  char *memory = mmap(NULL, page * pages, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED) exit(9);
  unlink(path);
  for (size_t n = 0; n < pages; n++, usleep(400 * 1000)) memory[n * page] = 1;
}

int main(int count, char **words) {
  const char *mode = count > 1 ? words[1] : "";
  const char *path = count > 2 ? words[2] : "";
  if (!strcmp(mode, "mutexes")) begin(other_way_round), take(&a, &b);
  if (!strcmp(mode, "impatient")) impatient();
  if (!strcmp(mode, "futex")) {
    int word = 0;
    syscall(SYS_futex, &word, FUTEX_WAIT, 0, NULL, NULL, 0);
  }
  if (!strcmp(mode, "poll"))
    for (;;) poll(NULL, 0, 100);
  if (!strcmp(mode, "open")) open(path, O_RDONLY);
  if (!strcmp(mode, "vfork") && vfork() == 0) asleep(NULL);
  if (!strcmp(mode, "vfork-computing") && vfork() == 0) computing(NULL);
  if (!strcmp(mode, "leaderless")) begin(asleep), pthread_exit(NULL);
  if (!strcmp(mode, "leaderless-computing")) begin(computing), pthread_exit(NULL);
  if (!strcmp(mode, "mapped")) through_memory(path);
  return 7;
}
