/* SPDX-License-Identifier: MIT */
/* churn MIB ROUNDS - grow the heap, touch a page in each 4 MiB and a run of
 * pages at its end, give it all back, and again.
 *
 * For lessons: hardly any memory but many page tables come and go, which
 * whoever shadows them has to follow.
 */
#include "lib.h"

#define TABLE 0x400000u
#define RUN   8u

int main(int argc, char **argv)
{
    uint32_t bytes = (uint32_t)number_argument(argc, argv, 1, 32) << 20;
    int rounds = number_argument(argc, argv, 2, 10);
    uint32_t sum = 0;

    if (bytes == 0 || bytes > 0x60000000) {
        printf("churn: MIB must be from 1 to %d\n", 0x600);
        return 1;
    }
    for (int round = 0; round < rounds; round++) {
        volatile uint8_t *heap = sbrk((int)bytes);

        for (uint32_t at = 0; at < bytes; at += TABLE) {
            sum += heap[at]; /* must be 0 again, each round      */
            heap[at] = 1;
        }
        for (uint32_t i = 1; i <= RUN; i++) {
            sum += heap[bytes - i * PAGE_SIZE + 1];
            heap[bytes - i * PAGE_SIZE + 1] = 2;
        }
        if (sbrk(-(int)bytes) == (void *)-1)
            return 1;
    }
    printf("churn: %u MiB, %d rounds, %u stale bytes\n", bytes >> 20, rounds,
           sum);
    return sum != 0;
}
