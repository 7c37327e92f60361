/* SPDX-License-Identifier: MIT */
#include "cli/files.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_MAX_BYTES = 1 << 30 };

static const char *read_all(int fd, size_t expected, struct blob *out)
{
    size_t capacity = expected + 1, used = 0; /* + 1: see the end at once */
    char *data = malloc(capacity);
    while (data) {
        if (used == capacity) {
            capacity *= 2;
            char *grown = capacity <= 2u * FILE_MAX_BYTES
                              ? realloc(data, capacity)
                              : NULL;
            if (!grown)
                break;
            data = grown;
        }
        ssize_t n = read(fd, data + used, capacity - used);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            free(data);
            return strerror(errno);
        }
        if (n == 0) {
            out->data = data;
            out->size = used;
            return NULL;
        }
        used += (size_t)n;
    }
    free(data);
    return "out of memory";
}

bool file_read(const char *path, struct blob *out, const char **error)
{
    *out = (struct blob){.name = path};
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    struct stat info;
    if (fd < 0) {
        *error = strerror(errno);
        return false;
    }
    if (fstat(fd, &info) != 0)
        *error = strerror(errno);
    else if (S_ISDIR(info.st_mode))
        *error = "is a directory";
    else if (!S_ISREG(info.st_mode) && !S_ISFIFO(info.st_mode))
        *error = "not a regular file";
    else if (info.st_size > FILE_MAX_BYTES)
        *error = "larger than 1 GiB";
    else
        *error = read_all(fd, (size_t)info.st_size, out);
    close(fd);
    return *error == NULL;
}

bool file_is_same(const char *a, const char *b)
{
    struct stat x, y;

    if (stat(a, &x) != 0 || stat(b, &y) != 0)
        return strcmp(a, b) == 0;
    return S_ISREG(x.st_mode) && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

int file_check_writable(const char *path)
{
    struct stat info;

    /* A FIFO's reader would take its being closed again for the end. */
    if (stat(path, &info) == 0 && S_ISFIFO(info.st_mode))
        return access(path, W_OK) == 0 ? 0 : errno;
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
                  0666);
    if (fd < 0)
        return errno;
    close(fd);
    return 0;
}

int file_write_all(int fd, const void *data, size_t bytes)
{
    const char *from = data;
    while (bytes > 0) {
        ssize_t n = write(fd, from, bytes);
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            struct pollfd room = {.fd = fd, .events = POLLOUT};
            poll(&room, 1, 1000);
            continue;
        }
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno;
        from += n;
        bytes -= (size_t)n;
    }
    return 0;
}

/* ---- A file that is whole or not there ------------------------------------
 */

/* A new file's folder, or what a link leads to, is where the work is done. */
static void resolve(const char *path, char real[PATH_MAX])
{
    if (!realpath(path, real))
        snprintf(real, PATH_MAX, "%s", path);
}

/* Something that cannot be replaced by a file? */
static bool is_special(const char *path)
{
    struct stat info;

    return stat(path, &info) == 0 && !S_ISREG(info.st_mode);
}

static bool is_missing(const char *path)
{
    return access(path, F_OK) != 0 && errno == ENOENT;
}

int file_check_replaceable(const char *path)
{
    char real[PATH_MAX], folder[PATH_MAX];
    struct stat info;

    if (!is_missing(path) && access(path, W_OK) != 0)
        return errno;
    if (stat(path, &info) == 0 && S_ISDIR(info.st_mode))
        return EISDIR;
    if (is_special(path))
        return 0;
    resolve(path, real);
    snprintf(folder, sizeof folder, "%s", real);
    return access(dirname(folder), W_OK | X_OK) == 0 ? 0 : errno;
}

/* Rights as those of the file that goes, or of any new one. */
static mode_t rights_for(const char *path)
{
    struct stat info;
    mode_t mask = umask(0);

    umask(mask);
    return stat(path, &info) == 0 ? info.st_mode & 0777 : 0666 & ~mask;
}

static int print_and_close(FILE *out, file_print_fn *print, const void *ctx)
{
    int error = 0;

    errno = 0;
    if (!print(ctx, out))
        error = ENOMEM;
    else if (fflush(out) != 0 || ferror(out))
        error = errno ? errno : EIO;
    if (fclose(out) != 0 && !error)
        error = errno;
    return error;
}

int file_replace(const char *path, file_print_fn *print, const void *ctx)
{
    char real[PATH_MAX], unfinished[PATH_MAX + 8];
    FILE *out;
    int fd, error;

    if (is_special(path)) {
        out = fopen(path, "we");
        return out ? print_and_close(out, print, ctx) : errno;
    }
    resolve(path, real);
    snprintf(unfinished, sizeof unfinished, "%s.XXXXXX", real);
    fd = mkstemp(unfinished);
    out = fd < 0 ? NULL : fdopen(fd, "w");
    if (!out)
        return errno;
    error = print_and_close(out, print, ctx);
    if (!error && (chmod(unfinished, rights_for(real)) != 0 ||
                   rename(unfinished, real) != 0))
        error = errno;
    if (error)
        unlink(unfinished);
    return error;
}
