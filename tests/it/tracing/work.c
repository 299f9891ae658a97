/* All that a program may do with processes, threads and signals. Its output must not depend on whether it is traced. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;
static volatile sig_atomic_t handled, value, from_self;

static void count(int signal) { (void)signal; handled++; }
static void queued(int signal, siginfo_t *info, void *context) {
  (void)signal; (void)context;
  value += info->si_value.sival_int;
  from_self += info->si_code == SI_QUEUE && info->si_pid == getpid() && info->si_uid == getuid();
}
static void on(int signal, int flags, void (*plain)(int), void (*full)(int, siginfo_t *, void *)) {
  struct sigaction action = {.sa_flags = flags};
  if (full) { action.sa_sigaction = full; action.sa_flags |= SA_SIGINFO; } else action.sa_handler = plain;
  sigaction(signal, &action, NULL);
}
static void *with_signals(void *unused) {
  for (int i = 0; i < 50; i++) pthread_kill(pthread_self(), SIGUSR1);
  return unused;
}
static void threads(void) {
  pthread_t threads[8];
  handled = 0;
  on(SIGUSR1, SA_RESTART, count, NULL);
  for (int round = 0; round < 20; round++) {
    for (int i = 0; i < 8; i++) pthread_create(&threads[i], NULL, with_signals, NULL);
    for (int i = 0; i < 8; i++) pthread_join(threads[i], NULL);
  }
  printf("threads %s\n", handled > 0 ? "ok" : "silent");
}
static void children(void) {
  int status, sum = 0;
  for (int i = 0; i < 20; i++) {
    pid_t child = fork();
    if (child == 0) _exit(i);
    waitpid(child, &status, 0);
    sum += WEXITSTATUS(status);
  }
  pid_t child = vfork();
  if (child == 0) { execl("/bin/sh", "sh", "-c", "exit 5", NULL); _exit(99); }
  waitpid(child, &status, 0);
  sum += WEXITSTATUS(status);
  char *argv[] = {"sh", "-c", "exit 6", NULL};
  posix_spawn(&child, "/bin/sh", NULL, NULL, argv, environ);
  waitpid(child, &status, 0);
  printf("children %d %d %d\n", sum, WEXITSTATUS(status), WEXITSTATUS(system("exit 7")));
}
static void values(void) {
  on(SIGRTMIN + 3, 0, NULL, queued);
  for (int i = 1; i <= 10; i++) sigqueue(getpid(), SIGRTMIN + 3, (union sigval){.sival_int = i});
  printf("values %d %d\n", (int)value, (int)from_self);
}
static ssize_t read_disturbed(int flags) {
  int ends[2], status;
  char byte = 0;
  on(SIGUSR2, flags, count, NULL);
  if (pipe(ends)) return -2;
  pid_t parent = getpid(), child = fork();
  if (child == 0) {
    usleep(50000); /* the parent reads by then */
    kill(parent, SIGUSR2);
    usleep(50000);
    _exit(write(ends[1], "x", 1) != 1);
  }
  ssize_t got = read(ends[0], &byte, 1);
  waitpid(child, &status, 0);
  close(ends[0]); close(ends[1]);
  return got;
}
static void stopped_child(void) {
  int status;
  pid_t child = fork();
  if (child == 0) { raise(SIGSTOP); _exit(3); }
  waitpid(child, &status, WUNTRACED);
  printf("stopped %d", WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
  kill(child, SIGCONT);
  waitpid(child, &status, WCONTINUED);
  printf(" continued %d", WIFCONTINUED(status));
  waitpid(child, &status, 0);
  printf(" code %d\n", WEXITSTATUS(status));
}
static void bare_clone(void) {
  int status;
  pid_t child = (pid_t)syscall(SYS_clone, 0, NULL, NULL, NULL, NULL); /* no thread, and no signal at its end */
  if (child == 0) { kill(getpid(), SIGTERM); _exit(1); }
  waitpid(child, &status, __WCLONE);
  printf("clone %d\n", WIFSIGNALED(status) ? WTERMSIG(status) : 0);
}
static void *executes(void *self) {
  execl(self, self, "executed", NULL);
  return NULL;
}
static void *goes_on(void *unused) {
  usleep(20000);
  printf("the leader is gone\n");
  fflush(stdout);
  exit(7);
  return unused;
}

int main(int count_of, char **argv) {
  if (count_of > 1) { /* the second life: the leader ends before its process does */
    pthread_t thread;
    printf("executed by a thread, pid %s\n", atoi(getenv("WORK_PID")) == getpid() ? "kept" : "lost");
    pthread_create(&thread, NULL, goes_on, NULL);
    pthread_exit(NULL);
  }
  setvbuf(stdout, NULL, _IOLBF, 0);
  threads();
  children();
  values();
  ssize_t restarted = read_disturbed(SA_RESTART), broken = read_disturbed(0);
  printf("restarted %zd interrupted %zd\n", restarted, broken);
  stopped_child();
  bare_clone();
  raise(SIGUSR1);
  char pid[16];
  snprintf(pid, sizeof pid, "%d", getpid());
  setenv("WORK_PID", pid, 1);
  pthread_t thread, other;
  pthread_create(&other, NULL, with_signals, NULL);
  pthread_join(other, NULL);
  pthread_create(&thread, NULL, executes, argv[0]);
  for (;;) pause();
}
