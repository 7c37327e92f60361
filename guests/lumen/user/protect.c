/* SPDX-License-Identifier: MIT */
/* protect PAGES ROUNDS - map PAGES pages by touching them, make them read-only,
 * read them, make them writable, write to them, unmap them; and again.
 *
 * For lessons: the kernel writes long runs of page-table entries. Whoever
 * traces each write pays for each; whoever lets a table go out of sync until
 * the flush pays once.
 */
#include "lib.h"

static uint32_t word(uint32_t page)
{
    return page * (PAGE_SIZE / 4);
}

static uint32_t once(volatile uint32_t *heap, uint32_t pages, uint32_t round)
{
    size_t bytes = pages * PAGE_SIZE;
    uint32_t sum = 0;

    for (uint32_t i = 0; i < pages; i++) {
        sum += heap[word(i)]; /* must be 0 again, each round      */
        heap[word(i)] = i ^ round;
    }
    if (protect((void *)heap, bytes, false) < 0)
        exit(1);
    for (uint32_t i = 0; i < pages; i++)
        sum = sum * 31 + heap[word(i)];
    if (protect((void *)heap, bytes, true) < 0)
        exit(1);
    for (uint32_t i = 0; i < pages; i++)
        sum = sum * 31 + (heap[word(i)] += 1);
    if (discard((void *)heap, bytes) < 0)
        exit(1);
    return sum;
}

int main(int argc, char **argv)
{
    uint32_t pages = (uint32_t)number_argument(argc, argv, 1, 256);
    int rounds = number_argument(argc, argv, 2, 4);
    uint32_t sum = 0;
    volatile uint32_t *heap;

    if (pages == 0 || pages > 0x8000) {
        printf("protect: PAGES must be from 1 to %d\n", 0x8000);
        return 1;
    }
    heap = sbrk((int)(pages * PAGE_SIZE));
    for (int round = 0; round < rounds; round++)
        sum = sum * 31 + once(heap, pages, (uint32_t)round);
    printf("protect: %u pages, %d rounds: checksum %08x\n", pages, rounds, sum);
    return 0;
}
