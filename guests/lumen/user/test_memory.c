/* SPDX-License-Identifier: MIT */
/* test_memory.c - copy on write, demand-zero pages, heap and stack. */
#include "selftest.h"

static volatile int cow_page[PAGE_SIZE / 4] = {1};

static int cow_child(void)
{
    if (cow_page[0] != 1)
        return 1;
    cow_page[0] = 2;
    return cow_page[0] == 2 ? 0 : 2;
}

static const char *test_copy_on_write(void)
{
    int status, ends[2], pid, seen = 0;

    cow_page[0] = 1;
    CHECK(in_child(cow_child) == 0, "the child does not see its own write");
    CHECK(cow_page[0] == 1, "the child's write shows in the parent");

    /* The other way round: the parent writes while the child waits. */
    CHECK(pipe(ends) == 0, "no pipe");
    pid = fork();
    if (pid == 0) {
        read(ends[0], &seen, sizeof seen);
        exit(cow_page[0]);
    }
    cow_page[0] = 7;
    write(ends[1], &seen, sizeof seen);
    CHECK(wait(pid, &status) == pid, "the child is missing");
    close(ends[0]);
    close(ends[1]);
    return status == 1 ? NULL : "the parent's write shows in the child";
}

/* The kernel writes to a shared page on the child's behalf: CR0.WP. */
static int cow_kernel_child(void)
{
    int fd = open("readme");

    return read(fd, (void *)cow_page, 4) == 4 && cow_page[0] != 1 ? 0 : 1;
}

static const char *test_kernel_copy_on_write(void)
{
    cow_page[0] = 1;
    CHECK(in_child(cow_kernel_child) == 0, "read() into a shared page");
    CHECK(cow_page[0] == 1, "the child's read() shows in the parent");
    return NULL;
}

static uint32_t own_pages(void)
{
    struct ps_info info;
    int self = getpid();

    for (int slot = 0; psinfo(slot, &info) >= 0; slot++) {
        if (info.pid == self)
            return info.pages;
    }
    return 0;
}

static const char *test_demand_zero(void)
{
    uint32_t before = own_pages(), sum = 0;
    uint8_t *heap = sbrk(64 * PAGE_SIZE);

    CHECK(heap != (uint8_t *)-1, "no memory");
    CHECK(own_pages() == before, "memory was given before it was touched");
    for (int i = 0; i < 64; i += 2)
        sum += heap[i * PAGE_SIZE + 5];
    CHECK(sum == 0, "new memory is not zero");
    CHECK(own_pages() == before + 32, "a touch does not cost one page");
    memset(heap + PAGE_SIZE - 3, 1, PAGE_SIZE + 6);
    for (int i = 0; i < PAGE_SIZE + 6; i++)
        sum += heap[PAGE_SIZE - 3 + i];
    CHECK(sum == PAGE_SIZE + 6, "a string store across pages");
    CHECK(sbrk(-64 * PAGE_SIZE) == heap + 64 * PAGE_SIZE, "cannot shrink");
    CHECK(own_pages() == before, "shrinking gives nothing back");
    return NULL;
}

static int touch_after_shrink(void)
{
    volatile uint8_t *heap = sbrk(2 * PAGE_SIZE);

    heap[PAGE_SIZE] = 1;
    sbrk(-PAGE_SIZE);
    heap[PAGE_SIZE] = 2;
    return 0;
}

static const char *test_shrink(void)
{
    uint8_t *heap = sbrk(PAGE_SIZE);

    heap[0] = 9;
    CHECK(sbrk(-PAGE_SIZE) == heap + PAGE_SIZE, "cannot shrink");
    CHECK(sbrk(PAGE_SIZE) == heap, "cannot grow again");
    CHECK(heap[0] == 0, "old contents came back");
    sbrk(-PAGE_SIZE);
    CHECK(sbrk(-0x10000000) == (void *)-1, "the heap can end before itself");
    CHECK(in_child(touch_after_shrink) == KILLED_BY + 14,
          "memory that was given back can be used");
    return NULL;
}

static volatile uint8_t *shared_heap;

static int write_to_protected(void)
{
    shared_heap[0] = 1;
    return 0;
}

/* Read from a file into a protected page: the kernel must not write there. */
static int read_to_protected(void)
{
    int file = open("readme");

    return read(file, (void *)shared_heap, 10) == -1 ? 0 : 1;
}

static int write_after_fork(void)
{
    protect((void *)shared_heap, PAGE_SIZE, true);
    shared_heap[0] = 9;
    return shared_heap[0] == 9 ? 0 : 1;
}

static const char *test_protect(void)
{
    uint8_t *heap = sbrk(2 * PAGE_SIZE);

    shared_heap = heap;
    heap[0] = 5;
    CHECK(protect(heap, 2 * PAGE_SIZE, false) == 0, "cannot protect");
    CHECK(in_child(write_to_protected) == KILLED_BY + 14,
          "a protected page can be written");
    CHECK(in_child(read_to_protected) == 0, "read() writes to it");
    CHECK(in_child(write_after_fork) == 0, "the child cannot write its copy");
    CHECK(heap[0] == 5, "the child's write shows in the parent");
    CHECK(protect(heap, 2 * PAGE_SIZE, true) == 0, "cannot take it back");
    heap[0] = 6;
    CHECK(protect(heap + 1, PAGE_SIZE, false) == -1, "half a page");
    CHECK(protect(heap, 3 * PAGE_SIZE, false) == -1, "beyond the heap");
    CHECK(discard(heap, PAGE_SIZE) == 0 && heap[0] == 0,
          "a discarded page is not zero");
    sbrk(-2 * PAGE_SIZE);
    return NULL;
}

static uint32_t recurse(uint32_t depth)
{
    volatile uint8_t frame[1000];

    frame[0] = (uint8_t)depth;
    return depth == 0 ? 0 : frame[0] + recurse(depth - 1);
}

static const char *test_stack_growth(void)
{
    return recurse(100) == 100 * 101 / 2 ? NULL : "wrong sum";
}

const struct self_test memory_tests[] = {
    {"copy on write", test_copy_on_write},
    {"copy on write by read()", test_kernel_copy_on_write},
    {"demand-zero memory", test_demand_zero},
    {"sbrk shrinks", test_shrink},
    {"protect and discard", test_protect},
    {"stack grows", test_stack_growth},
    {NULL, NULL},
};
