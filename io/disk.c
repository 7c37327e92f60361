/* SPDX-License-Identifier: MIT */
/* io/disk.c - a disk image: a file of the host seen as sectors.
 *
 * The file is taken raw, from byte 0, and its size is rounded down to whole
 * sectors. A writable image is locked, so that two guests never write to the
 * same one. What the host refuses comes back as false; the drive makes an ATA
 * error of it. The content is the file's: save and restore leave it alone.
 */
#include "io/devices.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static bool refuse(struct disk *disk, const char *path, const char *why,
                   char **error)
{
    if (asprintf(error, "%s: %s", path, why) < 0)
        *error = NULL;
    disk_close(disk);
    return false;
}

bool disk_open(struct disk *disk, const struct pc_disk *config, char **error)
{
    struct stat info;
    /* O_NONBLOCK: a FIFO is no image, and must not make us wait. */
    int mode = (config->read_only ? O_RDONLY : O_RDWR) | O_NONBLOCK;
    *disk = (struct disk){.fd = open(config->path, mode | O_CLOEXEC),
                          .read_only = config->read_only};
    if (disk->fd < 0 || fstat(disk->fd, &info) != 0)
        return refuse(disk, config->path, strerror(errno), error);
    /* A block device's size is where its end is. */
    off_t bytes = S_ISREG(info.st_mode) ? info.st_size : -1;
    if (S_ISBLK(info.st_mode))
        bytes = lseek(disk->fd, 0, SEEK_END);
    if (bytes < 0)
        return refuse(disk, config->path, "not a disk image", error);
    disk->sectors = (uint64_t)bytes / SECTOR_BYTES;
    if (disk->sectors == 0)
        return refuse(disk, config->path,
                      "smaller than one sector of 512 bytes", error);
    int lock = config->read_only ? LOCK_SH : LOCK_EX;
    if (flock(disk->fd, lock | LOCK_NB) != 0 && errno == EWOULDBLOCK)
        return refuse(disk, config->path, "in use as another disk", error);
    return true;
}

void disk_close(struct disk *disk)
{
    if (disk->fd >= 0)
        close(disk->fd);
    disk->fd = -1;
}

bool disk_read(const struct disk *disk, uint64_t sector, void *buffer,
               unsigned count)
{
    uint8_t *to = buffer;
    size_t left = (size_t)count * SECTOR_BYTES;
    off_t at = (off_t)(sector * SECTOR_BYTES);
    while (left > 0) {
        ssize_t got = pread(disk->fd, to, left, at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) /* also an image that was cut short meanwhile */
            return false;
        to += got;
        at += got;
        left -= (size_t)got;
    }
    return true;
}

bool disk_write(const struct disk *disk, uint64_t sector, const void *buffer,
                unsigned count)
{
    const uint8_t *from = buffer;
    size_t left = (size_t)count * SECTOR_BYTES;
    off_t at = (off_t)(sector * SECTOR_BYTES);
    while (left > 0) {
        ssize_t put = pwrite(disk->fd, from, left, at);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return false;
        from += put;
        at += put;
        left -= (size_t)put;
    }
    return true;
}

/* Bytes written are the host kernel's and survive our end; a flush need not
 * wait for the platter. */
bool disk_flush(const struct disk *disk)
{
    return disk->read_only || fcntl(disk->fd, F_GETFD) >= 0;
}
