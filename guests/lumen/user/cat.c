/* SPDX-License-Identifier: MIT */
/* cat [FILE...] - copy files, or standard input, to standard output. */
#include "lib.h"

static int copy(int fd)
{
    char buffer[512];
    int n;

    while ((n = read(fd, buffer, sizeof buffer)) > 0) {
        if (write(1, buffer, (size_t)n) != n)
            return 1;
    }
    return n < 0;
}

int main(int argc, char **argv)
{
    int status = 0;

    if (argc == 1)
        return copy(0);
    for (int i = 1; i < argc; i++) {
        int fd = open(argv[i]);

        if (fd < 0) {
            printf("cat: no file %s\n", argv[i]);
            status = 1;
            continue;
        }
        status |= copy(fd);
        close(fd);
    }
    return status;
}
