/* SPDX-License-Identifier: MIT */
/* wc [FILE] - count lines, words and bytes. */
#include "lib.h"

int main(int argc, char **argv)
{
    int lines = 0, words = 0, bytes = 0, n;
    bool in_word = false;
    char buffer[512];
    int fd = argc > 1 ? open(argv[1]) : 0;

    if (fd < 0) {
        printf("wc: no file %s\n", argv[1]);
        return 1;
    }
    while ((n = read(fd, buffer, sizeof buffer)) > 0) {
        bytes += n;
        for (int i = 0; i < n; i++) {
            bool space = buffer[i] == ' ' || buffer[i] == '\n';

            lines += buffer[i] == '\n';
            words += !space && !in_word;
            in_word = !space;
        }
    }
    printf("%d %d %d\n", lines, words, bytes);
    return 0;
}
