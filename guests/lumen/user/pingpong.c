/* SPDX-License-Identifier: MIT */
/* pingpong N PAGES ROUNDS - N processes in a ring of pipes hand a token on;
 * each touches PAGES pages of its own when the token comes.
 *
 * For lessons: nothing but address-space switches. A TLB that forgets at each
 * CR3 load pays for PAGES refills each turn, shadow tables that are kept and
 * tagged TLBs do not.
 */
#include "lib.h"

static uint32_t play(int in, int out, int pages, int rounds)
{
    volatile uint32_t *heap = sbrk(pages * PAGE_SIZE);
    uint32_t token = 0;

    for (int round = 0; round < rounds; round++) {
        if (read(in, &token, sizeof token) != (int)sizeof token)
            exit(1);
        for (int i = 0; i < pages; i++)
            token += ++heap[i * (PAGE_SIZE / 4)];
        if (write(out, &token, sizeof token) != (int)sizeof token)
            exit(1);
    }
    return token;
}

/* Start the processes; `out` ends up as the last one's output. */
static int start_ring(int in, int n, int pages, int rounds, int *out)
{
    for (int i = 0; i < n; i++) {
        int next[2], pid;

        if (pipe(next) < 0)
            return -1;
        pid = fork();
        if (pid < 0)
            return -1;
        if (pid == 0) {
            close(next[0]);
            play(in, next[1], pages, rounds);
            exit(0);
        }
        close(in);
        close(next[1]);
        in = next[0];
    }
    *out = in;
    return 0;
}

int main(int argc, char **argv)
{
    int n = number_argument(argc, argv, 1, 4);
    int pages = number_argument(argc, argv, 2, 8);
    int rounds = number_argument(argc, argv, 3, 10);
    uint32_t token = 0;
    int first[2], last, status, failed = 0;

    if (pipe(first) < 0 || start_ring(first[0], n, pages, rounds, &last) < 0) {
        printf("pingpong: out of processes or pipes\n");
        return 1;
    }
    for (int round = 0; round < rounds; round++) {
        if (write(first[1], &token, sizeof token) != (int)sizeof token ||
            read(last, &token, sizeof token) != (int)sizeof token)
            failed = 1;
    }
    for (int i = 0; i < n; i++) {
        if (wait(-1, &status) < 0 || status != 0)
            failed = 1;
    }
    printf("pingpong: %d processes, %d pages, %d rounds: token %u%s\n", n,
           pages, rounds, token, failed ? ", FAILED" : "");
    return failed;
}
