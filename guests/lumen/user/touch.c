/* SPDX-License-Identifier: MIT */
/* touch PAGES [STRIDE] [ROUNDS] [seq|rand] - write to PAGES heap pages,
 * STRIDE pages apart, ROUNDS times, in order or at random.
 *
 * For lessons: the first round is all demand-zero faults. In later rounds it
 * depends on TLB and shadow tables what is still mapped. Stride 1024 puts
 * each page under a page table of its own.
 */
#include "lib.h"

int main(int argc, char **argv)
{
    uint32_t pages = (uint32_t)number_argument(argc, argv, 1, 64);
    uint32_t stride = (uint32_t)number_argument(argc, argv, 2, 1);
    uint32_t rounds = (uint32_t)number_argument(argc, argv, 3, 1);
    bool random = argc > 4 && strcmp(argv[4], "rand") == 0;
    uint32_t state = 1, sum = 0;
    volatile uint32_t *heap;

    if (pages == 0 || stride == 0 || pages > 0x60000 / stride) {
        printf("touch: PAGES * STRIDE must be from 1 to %d\n", 0x60000);
        return 1;
    }
    heap = sbrk((int)(pages * stride * PAGE_SIZE));
    for (uint32_t round = 0; round < rounds; round++) {
        for (uint32_t i = 0; i < pages; i++) {
            uint32_t page = random ? random_next(&state) % pages : i;
            volatile uint32_t *word = heap + page * stride * (PAGE_SIZE / 4);

            *word += page + round + 1;
            sum = sum * 31 + *word;
        }
    }
    printf("touch: %u pages, stride %u, %u rounds, %s: checksum %08x\n", pages,
           stride, rounds, random ? "rand" : "seq", sum);
    return 0;
}
