/* For LD_PRELOAD: the n-th write below a folder fails, or kills its process.
 *
 * Counted are write, pwrite, writev, ftruncate, fsync, fdatasync, sendfile, copy_file_range and rename of files below the
 * folder, whoever calls them: Python, HDF5, zlib, tensorstore. A failing write leaves half of its bytes, as disks do.
 * Linux, glibc. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static char folder[PATH_MAX];
static size_t folder_length;
static long counted, failing;
static int error, lasting;

/* Begin to count. The n-th write and, if it lasts, all later ones fail with an error; 0 for the error kills; n = 0: none. */
void fault_arm(const char *below, long n, int with, int lasts) {
    snprintf(folder, sizeof folder, "%s", below);
    counted = 0, failing = n, error = with, lasting = lasts;
    folder_length = strlen(folder);
}

/* Writes since then. */
long fault_count(void) { return counted; }

static int strikes(const char *path) {
    if (!folder_length || strncmp(path, folder, folder_length)) return 0;
    long n = __atomic_add_fetch(&counted, 1, __ATOMIC_SEQ_CST);
    if (!failing || n < failing || (n > failing && !lasting)) return 0;
    if (!error) kill(getpid(), SIGKILL);
    return 1;
}

static int strikes_file(int file) {
    char name[64], path[PATH_MAX];
    snprintf(name, sizeof name, "/proc/self/fd/%d", file);
    ssize_t length = readlink(name, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return strikes(path);
}

static int strikes_name(int at, const char *name) {
    char path[PATH_MAX], link[64], place[PATH_MAX / 2] = "";
    if (name[0] == '/') return strikes(name);
    if (at == AT_FDCWD) {
        if (!getcwd(place, sizeof place)) return 0;
    } else {
        snprintf(link, sizeof link, "/proc/self/fd/%d", at);
        ssize_t length = readlink(link, place, sizeof place - 1);
        if (length < 0) return 0;
        place[length] = 0;
    }
    snprintf(path, sizeof path, "%s/%s", place, name);
    return strikes(path);
}

#define REAL(type, name, ...) \
    static type (*real)(__VA_ARGS__); \
    if (!real) real = (type (*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name)
#define FAIL do { errno = error; return -1; } while (0)

ssize_t write(int file, const void *from, size_t n) {
    REAL(ssize_t, write, int, const void *, size_t);
    if (!strikes_file(file)) return real(file, from, n);
    if (n > 1) (void)!real(file, from, n / 2);
    FAIL;
}

#define PWRITE(name, offset_type) \
    ssize_t name(int file, const void *from, size_t n, offset_type offset) { \
        REAL(ssize_t, name, int, const void *, size_t, offset_type); \
        if (!strikes_file(file)) return real(file, from, n, offset); \
        if (n > 1) (void)!real(file, from, n / 2, offset); \
        FAIL; \
    }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

ssize_t writev(int file, const struct iovec *from, int n) {
    REAL(ssize_t, writev, int, const struct iovec *, int);
    if (strikes_file(file)) FAIL;
    return real(file, from, n);
}

#define PWRITEV(name, offset_type) \
    ssize_t name(int file, const struct iovec *from, int n, offset_type offset) { \
        REAL(ssize_t, name, int, const struct iovec *, int, offset_type); \
        if (strikes_file(file)) FAIL; \
        return real(file, from, n, offset); \
    }
PWRITEV(pwritev, off_t)
PWRITEV(pwritev64, off64_t)

#define ON_FILE(name) \
    int name(int file) { \
        REAL(int, name, int); \
        if (strikes_file(file)) FAIL; \
        return real(file); \
    }
ON_FILE(fsync)
ON_FILE(fdatasync)

#define TRUNCATE(name, length_type) \
    int name(int file, length_type length) { \
        REAL(int, name, int, length_type); \
        if (strikes_file(file)) FAIL; \
        return real(file, length); \
    }
TRUNCATE(ftruncate, off_t)
TRUNCATE(ftruncate64, off64_t)

#define SENDFILE(name, offset_type) \
    ssize_t name(int to, int from, offset_type *offset, size_t n) { \
        REAL(ssize_t, name, int, int, offset_type *, size_t); \
        if (strikes_file(to)) FAIL; \
        return real(to, from, offset, n); \
    }
SENDFILE(sendfile, off_t)
SENDFILE(sendfile64, off64_t)

ssize_t copy_file_range(int from, off64_t *from_offset, int to, off64_t *to_offset, size_t n, unsigned flags) {
    REAL(ssize_t, copy_file_range, int, off64_t *, int, off64_t *, size_t, unsigned);
    if (strikes_file(to)) FAIL;
    return real(from, from_offset, to, to_offset, n, flags);
}

int rename(const char *from, const char *to) {
    REAL(int, rename, const char *, const char *);
    if (strikes_name(AT_FDCWD, to)) FAIL;
    return real(from, to);
}

int renameat(int at, const char *from, int at_to, const char *to) {
    REAL(int, renameat, int, const char *, int, const char *);
    if (strikes_name(at_to, to)) FAIL;
    return real(at, from, at_to, to);
}

int renameat2(int at, const char *from, int at_to, const char *to, unsigned flags) {
    REAL(int, renameat2, int, const char *, int, const char *, unsigned);
    if (strikes_name(at_to, to)) FAIL;
    return real(at, from, at_to, to, flags);
}
