/*
 * Preloaded into the program under test: sees the writes and syncs of the queue's file as LMDB makes them.
 *   SHIM_KILL_AT=N         the Nth of them is not made: the process is killed instead
 *   SHIM_TEAR=1            a write of whole pages is half made before the kill
 *   SHIM_SYNC_DELAY_MS=N   every sync takes so much longer
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#define PAGE 4096
#define NAME "/queue.mdb"

static atomic_long calls;

static long number(const char *name) {
  const char *text = getenv(name);
  return text ? atol(text) : 0;
}

static int is_store(int fd) {
  char link[64], path[PAGE];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < (ssize_t)strlen(NAME)) return 0;
  path[length] = 0;
  return strcmp(path + length - strlen(NAME), NAME) == 0;
}

/* Whether this call is the one that must not be made. */
static int is_last(int fd) {
  static long at = -1;
  if (at < 0) at = number("SHIM_KILL_AT");
  return is_store(fd) && atomic_fetch_add(&calls, 1) + 1 == at;
}

static void die(void) { kill(getpid(), SIGKILL); }

ssize_t pwrite64(int fd, const void *bytes, size_t size, off64_t offset) {
  static ssize_t (*real)(int, const void *, size_t, off64_t);
  if (!real) real = dlsym(RTLD_NEXT, "pwrite64");
  if (is_last(fd)) {
    if (number("SHIM_TEAR") && size >= PAGE) real(fd, bytes, size / 2, offset);
    die();
  }
  return real(fd, bytes, size, offset);
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
  static ssize_t (*real)(int, const struct iovec *, int);
  if (!real) real = dlsym(RTLD_NEXT, "writev");
  if (is_last(fd)) {
    if (number("SHIM_TEAR")) real(fd, parts, (count + 1) / 2);
    die();
  }
  return real(fd, parts, count);
}

static int sync_with(const char *name, int fd) {
  int (*real)(int) = dlsym(RTLD_NEXT, name);
  if (is_last(fd)) die();
  if (is_store(fd)) usleep(number("SHIM_SYNC_DELAY_MS") * 1000);
  return real(fd);
}

int fdatasync(int fd) { return sync_with("fdatasync", fd); }
int fsync(int fd) { return sync_with("fsync", fd); }
