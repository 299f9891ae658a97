/* What the benchmark manages and what it compares with: no library, so that nothing but the kernel is timed.
 *
 *   programs stamp FILE          appends the time of its first instruction, in ns, and waits for its end
 *   programs once FILE           the same, and ends
 *   programs loop PROGRAM FILE   the least supervisor: forks, executes PROGRAM stamp FILE, waits, again
 *   programs locks PREFIX N      the least status: opens PREFIX0 … and asks each whether it is locked
 *   programs wait                waits for its end: the least memory a waiting process has
 *   programs tick FILE           the same as stamp, and writes a byte to nowhere once a second: the least progress
 */
#include <fcntl.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <time.h>

#if defined(__x86_64__)
static long call(long n, long a, long b, long c, long d) {
  long r;
  register long r10 __asm__("r10") = d;
  __asm__ volatile("syscall" : "=a"(r) : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10) : "rcx", "r11", "memory");
  return r;
}
__asm__(".globl _start\n_start: mov %rsp,%rdi\n and $-16,%rsp\n call begin\n");
#elif defined(__aarch64__)
static long call(long n, long a, long b, long c, long d) {
  register long x8 __asm__("x8") = n, x0 __asm__("x0") = a, x1 __asm__("x1") = b, x2 __asm__("x2") = c, x3 __asm__("x3") = d;
  __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3) : "memory");
  return x0;
}
__asm__(".globl _start\n_start: mov x0,sp\n b begin\n");
#else
#error "the benchmark knows x86_64 and aarch64"
#endif

static long number(const char *digits) {
  long n = 0;
  while (*digits) n = n * 10 + (*digits++ - '0');
  return n;
}

static char *decimal(long long n, char *end) {
  do *--end = '0' + n % 10; while (n /= 10);
  return end;
}

static void stamp(const char *file) {
  struct timespec now;
  call(SYS_clock_gettime, CLOCK_MONOTONIC, (long)&now, 0, 0);
  char text[24];
  text[23] = '\n';
  char *digits = decimal(now.tv_sec * 1000000000LL + now.tv_nsec, text + 23);
  long fd = call(SYS_openat, AT_FDCWD, (long)file, O_WRONLY | O_APPEND | O_CREAT, 0644);
  call(SYS_write, fd, (long)digits, text + 24 - digits, 0);
}

static void rest(void) {
  struct timespec long_time = {1000000, 0};
  for (;;) call(SYS_nanosleep, (long)&long_time, 0, 0, 0);
}

static void tick(void) {
  struct timespec second = {1, 0};
  long fd = call(SYS_openat, AT_FDCWD, (long)"/dev/null", O_WRONLY, 0);
  for (;;) {
    call(SYS_write, fd, (long)"x", 1, 0);
    call(SYS_nanosleep, (long)&second, 0, 0, 0);
  }
}

static void locks(const char *prefix, long count) {
  char path[4096];
  long length = 0;
  while ((path[length] = prefix[length])) length++;
  for (long i = 0; i < count; i++) {
    char text[24];
    char *digits = decimal(i, text + 23);
    long at = length;
    while (digits < text + 23) path[at++] = *digits++;
    path[at] = 0;
    long fd = call(SYS_openat, AT_FDCWD, (long)path, O_RDONLY, 0);
    call(SYS_flock, fd, LOCK_SH | LOCK_NB, 0, 0);
    call(SYS_close, fd, 0, 0, 0);
  }
}

static int same(const char *a, const char *b) {
  while (*a && *a == *b) a++, b++;
  return *a == *b;
}

/* The least supervisor there can be. */
static void loop(char *program, char *file) {
  char *argv[] = {program, "stamp", file, 0};
  for (;;) {
    long child = call(SYS_clone, 17 /* SIGCHLD */, 0, 0, 0);
    if (child == 0) {
      call(SYS_execve, (long)program, (long)argv, (long)&argv[3], 0);
      call(SYS_exit_group, 127, 0, 0, 0);
    }
    call(SYS_wait4, child, 0, 0, 0);
  }
}

__attribute__((used, noreturn)) void begin(long *stack) {
  char **argv = (char **)(stack + 1);
  if (same(argv[1], "once") || same(argv[1], "stamp") || same(argv[1], "tick")) stamp(argv[2]);
  if (same(argv[1], "tick")) tick();
  if (same(argv[1], "loop")) loop(argv[2], argv[3]);
  if (same(argv[1], "locks")) locks(argv[2], number(argv[3]));
  if (same(argv[1], "stamp") || same(argv[1], "wait")) rest();
  call(SYS_exit_group, 0, 0, 0, 0);
  __builtin_unreachable();
}
