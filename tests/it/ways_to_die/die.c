/* Ways to die, and one to kill. Compiled once for the corpus; see mod.rs beside it.
 *
 * As `die MODE [ARG…]` it first writes its pid into `starts`; only the first start dies, a later one waits to be ended
 * (`die each MODE …` dies every time). A start that finds an earlier one alive says so in `doubled`.
 * As `murderer UID SIGNAL PID [THREAD]` it sends a signal, says so, and lives until its standard input is closed, so
 * that whoever wants to know who it was can look. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static int is(const char *a, const char *b) { return strcmp(a, b) == 0; }

static void note(const char *file, long what) {
  char line[32];
  int length = snprintf(line, sizeof line, "%ld\n", what);
  int fd = open(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
  if (fd < 0 || write(fd, line, length) != length) _exit(99);
  close(fd);
}

static void nap(void) { usleep(10 * 1000); }

static void for_ever(void) {
  for (;;) pause();
}

/* Whether `pid` is alive in this guardian home. */
static int lives(long pid) {
  char path[64], state = 'X';
  static char environ_text[65536];
  snprintf(path, sizeof path, "/proc/%ld/stat", pid);
  FILE *stat = fopen(path, "r");
  if (!stat) return 0;
  if (fscanf(stat, "%*d (%*[^)]) %c", &state) != 1) state = 'X';
  fclose(stat);
  if (state == 'Z' || state == 'X') return 0;
  snprintf(path, sizeof path, "/proc/%ld/environ", pid);
  FILE *environ_file = fopen(path, "r");
  if (!environ_file) return 0;
  size_t length = fread(environ_text, 1, sizeof environ_text, environ_file);
  fclose(environ_file);
  const char *home = getenv("GUARDIAN_HOME");
  return home && memmem(environ_text, length, home, strlen(home)) != NULL;
}

static void start(int each) {
  long pid, earlier = 0;
  FILE *starts = fopen("starts", "r");
  while (starts && fscanf(starts, "%ld", &pid) == 1) {
    earlier++;
    if (lives(pid)) note("doubled", pid);
  }
  if (starts) fclose(starts);
  note("starts", getpid());
  if (earlier && !each) for_ever();
}

/* No core dump, whether it would go to a file (too small a limit) or to a program (one byte is the kernel's word for no). */
static void without_core(void) {
  struct rlimit one = {1, 1};
  setrlimit(RLIMIT_CORE, &one);
}

static int code;
static int heard(const char *file, int signal) {
  int fd = open(file, O_WRONLY | O_APPEND | O_CREAT, 0666);
  char line[] = {(char)('0' + signal / 10), (char)('0' + signal % 10), '\n'};
  return write(fd, line, 3) == 3 ? close(fd) : 0;
}
static void leave(int signal) {
  heard("got", signal);
  _exit(code);
}
static void stay(int signal) { heard("got", signal); }

static void *exits(void *unused) {
  nap();
  exit(code);
  return unused;
}
static void *waits(void *thread) {
  note("thread", syscall(SYS_gettid));
  note("ready", getpid());
  for_ever();
  return thread;
}
#pragma GCC diagnostic ignored "-Winfinite-recursion"
static int deeper(int n) {
  volatile char frame[4096];
  frame[0] = (char)n;
  return deeper(n + 1) + frame[0];
}

static void no_getppid(void) {
  struct sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
  syscall(SYS_getppid);
}

static void beyond_the_end(void) {
  int fd = open("short", O_RDWR | O_CREAT, 0666);
  volatile char *page = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
  exit(page[0] + 98);
}

/* Ends by a signal, without a core dump; a second word asks for one. */
static void by_itself(const char *mode, int dumps) {
  struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};
  if (dumps) setrlimit(RLIMIT_CORE, &unlimited);
  else without_core();
  if (is(mode, "abort")) abort();
  if (is(mode, "segv")) *(volatile int *)NULL = 1;
  if (is(mode, "overflow")) exit(deeper(0));
  if (is(mode, "bus")) beyond_the_end();
  if (is(mode, "sys")) no_getppid();
  if (is(mode, "strict")) {
    prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT);
    syscall(SYS_getppid);
  }
  if (is(mode, "pipe")) {
    int ends[2];
    if (pipe(ends) == 0) close(ends[0]);
    if (write(ends[1], "x", 1) < 0) exit(97);
  }
  if (is(mode, "alarm")) {
    struct itimerval soon = {{0, 0}, {0, 50 * 1000}};
    setitimer(ITIMER_REAL, &soon, NULL);
    for_ever();
  }
  raise(atoi(mode));
  exit(96);
}

/* Waits for the murderer: as it is (`wait`), or with a handler for SIGTERM that ends it (`polite`) or does not (`deaf`). */
static void victim(const char *mode) {
  without_core();
  if (is(mode, "polite")) signal(SIGTERM, leave);
  if (is(mode, "deaf")) signal(SIGTERM, stay);
  if (is(mode, "ignores")) signal(SIGTERM, SIG_IGN);
  pthread_t other;
  if (is(mode, "threads")) pthread_create(&other, NULL, waits, NULL);
  else note("ready", getpid());
  for_ever();
}

/* The same as another user, whose that directory is not. */
static void of_another_user(void) {
  without_core();
  int fd = open("ready", O_WRONLY | O_APPEND | O_CREAT, 0666);
  if (setuid(65534) || write(fd, "x\n", 2) != 2) _exit(90);
  close(fd);
  for_ever();
}

/* A child that lives on when its parent has ended with `code`. */
static void leaves_a_child(int twice, int deaf) {
  pid_t child = fork();
  if (child == 0) {
    if (twice) {
      setsid();
      if (fork()) _exit(0);
    }
    if (deaf) signal(SIGTERM, SIG_IGN);
    note("child", getpid());
    for_ever();
  }
  while (access("child", R_OK) != 0) nap();
  exit(code);
}

static void by_a_child(int signal, int at_once) {
  without_core();
  pid_t parent = getpid();
  if (fork() == 0) {
    kill(parent, signal);
    if (!at_once) for_ever();
    _exit(0);
  }
  for_ever();
}

static void with_threads(const char *mode) {
  pthread_t other;
  pthread_create(&other, NULL, is(mode, "sleeper") ? waits : exits, NULL);
  if (is(mode, "leader-gone")) pthread_exit(NULL);
  if (is(mode, "sleeper")) {
    while (access("ready", R_OK) != 0) nap();
    _exit(code);
  }
  for_ever();
}

/* Takes memory until somebody objects, or much is taken. */
static void eats(void) {
  for (int mib = 0; mib < 256; mib++) {
    char *more = malloc(1 << 20);
    if (!more) _exit(89);
    memset(more, mib + 1, 1 << 20);
  }
  _exit(88);
}

/* Takes 64 MiB and keeps them. */
static void holds(void) {
  memset(malloc(64 << 20), 1, 64 << 20);
  for_ever();
}

/* A child that takes too much, then on as `code` says: wait for the murderer, or exit with it. */
static void eats_by_a_child(int waits_then) {
  pid_t child = fork();
  int status = 0;
  if (child == 0) eats();
  waitpid(child, &status, 0);
  if (!WIFSIGNALED(status)) exit(87);
  note("ready", getpid());
  if (waits_then) for_ever();
  exit(code);
}

static void fork_until_refused(void) {
  for (int n = 0; n < 1000; n++) {
    pid_t child = fork();
    if (child == 0) for_ever();
    if (child < 0) exit(errno == EAGAIN ? code : 86);
  }
  exit(85);
}

static void *execs(void *unused) {
  char text[16];
  nap();
  snprintf(text, sizeof text, "exit %d", code);
  execl("/bin/sh", "sh", "-c", text, (char *)NULL);
  exit(84);
  return unused;
}
static void *goes(void *unused) {
  nap();
  note("ready", getpid());
  while (access("go", R_OK) != 0) nap();
  exit(code);
  return unused;
}
/* The first thread waits for the others, or ends before them. */
static void one_thread_of_two(void *(*body)(void *), int leader_ends) {
  pthread_t other;
  pthread_create(&other, NULL, body, NULL);
  if (leader_ends) pthread_exit(NULL);
  for_ever();
}

static void with_children(const char *mode) {
  if (is(mode, "vfork")) {
    pid_t child = vfork();
    if (child == 0) {
      execl("/bin/true", "true", (char *)NULL);
      _exit(127);
    }
    waitpid(child, NULL, 0);
  }
  if (is(mode, "zombies"))
    for (int n = 0; n < 20; n++)
      if (fork() == 0) _exit(n);
  exit(code);
}

/* Burns CPU time, or fills a file, until a limit ends it. */
static void beyond_a_limit(const char *mode, unsigned long soft, unsigned long hard) {
  without_core();
  struct rlimit limit = {soft, hard};
  if (is(mode, "cpu")) {
    if (soft < hard) signal(SIGXCPU, SIG_DFL);
    else signal(SIGXCPU, SIG_IGN);
    setrlimit(RLIMIT_CPU, &limit);
    for (volatile unsigned long n = 0;; n++) continue;
  }
  setrlimit(RLIMIT_FSIZE, &limit);
  int fd = open("large", O_WRONLY | O_CREAT, 0666);
  char block[4096] = {0};
  while (write(fd, block, sizeof block) > 0) continue;
  exit(95);
}

static int murder(char **argv) {
  int uid = atoi(argv[1]), number = atoi(argv[2]), pid = atoi(argv[3]);
  if (uid && setuid(uid)) return 1;
  int sent = argv[4] ? (int)syscall(SYS_tgkill, pid, atoi(argv[4]), number) : kill(pid, number);
  if (puts(sent == 0 ? "sent" : strerror(errno)) < 0 || fflush(stdout)) return 1;
  while (getchar() != EOF) continue;
  return 0;
}

int main(int argc, char **argv) {
  const char *self = strrchr(argv[0], '/');
  if (is(self ? self + 1 : argv[0], "murderer")) return argc < 4 ? 2 : murder(argv);
  int each = argc > 1 && is(argv[1], "each");
  if (each) argv++, argc--;
  if (argc < 2) return 94;
  const char *mode = argv[1], *more = argc > 2 ? argv[2] : "0";
  start(each);
  code = atoi(more);
  if (is(mode, "exec")) return execvp(argv[2], argv + 2), 93;
  if (is(mode, "exit")) exit(code);
  if (is(mode, "_exit")) _exit(code);
  if (is(mode, "signal")) by_itself(more, argc > 3);
  if (is(mode, "child")) by_a_child(code, argc > 3);
  if (is(mode, "thread") || is(mode, "leader-gone") || is(mode, "sleeper")) with_threads(mode);
  if (is(mode, "vfork") || is(mode, "zombies")) with_children(mode);
  if (is(mode, "thread-execs")) one_thread_of_two(execs, 0);
  if (is(mode, "leader-gone-goes")) one_thread_of_two(goes, 1);
  if (is(mode, "eats")) eats();
  if (is(mode, "holds")) holds();
  if (is(mode, "child-eats")) eats_by_a_child(argc > 3);
  if (is(mode, "forks")) fork_until_refused();
  if (is(mode, "leaves")) leaves_a_child(0, argc > 3);
  if (is(mode, "daemon")) leaves_a_child(1, argc > 3);
  if (is(mode, "setuid")) exit(setuid(65534) == 0 && getuid() == 65534 ? code : 92);
  if (is(mode, "closes")) {
    for (int fd = 0; fd < 1024; fd++) close(fd);
    exit(code);
  }
  if (is(mode, "cpu") || is(mode, "file")) beyond_a_limit(mode, strtoul(more, NULL, 10), strtoul(argv[3], NULL, 10));
  if (is(mode, "go")) {
    note("ready", getpid());
    while (access("go", R_OK) != 0) nap();
    exit(code);
  }
  if (is(mode, "polite")) victim(mode);
  if (is(mode, "uid")) of_another_user();
  if (is(mode, "wait") || is(mode, "deaf") || is(mode, "ignores") || is(mode, "threads")) victim(mode);
  return 91;
}
