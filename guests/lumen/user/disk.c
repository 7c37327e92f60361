/* SPDX-License-Identifier: MIT */
/* disk - write a pattern to the end of the disk, read it back, and put back
 * what was there. More sectors than the kernel's cache holds, so that they
 * come from the disk again.
 */
#include "lib.h"

#define SECTORS 24
#define BYTES   (SECTORS * 512)

static uint8_t saved[BYTES], pattern[BYTES], found[BYTES];

static bool transfer(int fd, uint8_t *buffer, bool writing)
{
    if (seek(fd, -BYTES, SEEK_END) < 0)
        return false;
    return (writing ? write(fd, buffer, BYTES) : read(fd, buffer, BYTES)) ==
           BYTES;
}

static uint32_t checksum(const uint8_t *p)
{
    uint32_t sum = 1;

    for (uint32_t i = 0; i < BYTES; i++)
        sum = sum * 31 + p[i];
    return sum;
}

int main(void)
{
    int fd = open("/disk");
    uint32_t state = 7;
    bool good;

    if (fd < 0) {
        printf("disk: there is no disk\n");
        return 2;
    }
    for (uint32_t i = 0; i < BYTES; i++)
        pattern[i] = (uint8_t)random_next(&state);

    good = transfer(fd, saved, false) && transfer(fd, pattern, true) &&
           transfer(fd, found, false) && checksum(found) == checksum(pattern);
    good = transfer(fd, saved, true) && good;
    printf("disk: %d sectors written and read back: checksum %08x, %s\n",
           SECTORS, checksum(found), good ? "ok" : "WRONG");
    return good ? 0 : 1;
}
