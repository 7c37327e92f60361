/* SPDX-License-Identifier: MIT */
#include "cli/files.h"

#include <errno.h>
#include <fcntl.h>
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

int file_check_writable(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
                  0666);
    if (fd < 0)
        return errno == ENXIO ? 0 : errno; /* a FIFO without a reader yet */
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
