/* SPDX-License-Identifier: MIT */
/* forks N [PAGES] - N children, each of which writes to PAGES pages it shares
 * with its parent, up to eight alive at a time.
 *
 * For lessons: fork makes every page read-only, each first write copies one.
 */
#include "lib.h"

#define PAGES 16
#define ALIVE 8

static volatile uint32_t *shared;
static uint32_t pages;

static int child(uint32_t number)
{
    uint32_t sum = 0;

    for (uint32_t i = 0; i < pages; i++)
        shared[i * (PAGE_SIZE / 4)] += number;
    for (uint32_t i = 0; i < pages; i++)
        sum += shared[i * (PAGE_SIZE / 4)];
    return sum == pages * number + pages * (pages - 1) / 2 ? 0 : 1;
}

int main(int argc, char **argv)
{
    int n = number_argument(argc, argv, 1, 32), alive = 0, bad = 0, status;

    pages = (uint32_t)number_argument(argc, argv, 2, PAGES);
    if (pages == 0 || pages > 0x1000) {
        printf("forks: PAGES must be from 1 to %d\n", 0x1000);
        return 1;
    }
    shared = sbrk((int)(pages * PAGE_SIZE));
    for (uint32_t i = 0; i < pages; i++)
        shared[i * (PAGE_SIZE / 4)] = i;

    for (int i = 0; i < n || alive > 0;) {
        int pid = i < n && alive < ALIVE ? fork() : -1;

        if (pid == 0)
            exit(child((uint32_t)i + 1));
        if (pid > 0) {
            i++;
            alive++;
            continue;
        }
        if (alive == 0) {
            printf("forks: cannot fork\n");
            return 1;
        }
        wait(-1, &status);
        bad += status != 0;
        alive--;
    }
    for (uint32_t i = 0; i < pages; i++)
        bad += shared[i * (PAGE_SIZE / 4)] != i;
    printf("forks: %d children, %d wrong\n", n, bad);
    return bad != 0;
}
