/* SPDX-License-Identifier: MIT */
/* test_process.c - fork and its relatives, time slices, pipes, files. */
#include "selftest.h"

static int exit_42(void)
{
    return 42;
}

static const char *test_fork(void)
{
    int status;

    CHECK(in_child(exit_42) == 42, "the child's status is lost");
    CHECK(wait(-1, &status) == -1, "wait without children does not fail");
    CHECK(wait(getpid(), &status) == -1, "wait for a stranger does not fail");
    return NULL;
}

static const char *test_exec(void)
{
    CHECK(RUN("echo", "two", "words") == 0, "status of echo");
    CHECK(printed("two words\n"), "output of echo");
    CHECK(RUN("nothing") == 127, "exec of a missing program");
    CHECK(RUN("readme") == 127, "exec of a text file");
    return NULL;
}

static int orphan_maker(void)
{
    if (fork() == 0) {
        sleep(1);
        exit(0);
    }
    return 0;
}

static const char *test_orphans(void)
{
    int status;

    for (int i = 0; i < 4; i++)
        CHECK(in_child(orphan_maker) == 0, "cannot fork twice");
    sleep(3);
    CHECK(wait(-1, &status) == -1, "somebody else's child came to us");
    return NULL;
}

static const char *test_sleep(void)
{
    CHECK(sleep(2) == 0, "sleep fails");
    return NULL;
}

#define BURSTS      300
#define BURST_STEPS 160000

/* Compute, until the timer has taken the CPU away twice: 40 ms on the fastest
 * machine if it never does. Each step needs the one before, so that none can
 * hurry. */
static int busy(void)
{
    struct ps_info info;
    uint32_t number = 1;
    int self = getpid(), slot = 0;

    while (psinfo(slot, &info) >= 0 && info.pid != self)
        slot++;
    for (int burst = 0; burst < BURSTS; burst++) {
        for (int i = 0; i < BURST_STEPS; i++) {
            number = number * 1664525u + 1013904223u;
            __asm__ volatile("" : "+r"(number));
        }
        psinfo(slot, &info);
        if (info.preempted >= 2)
            return 0;
    }
    return 1;
}

static const char *test_preemption(void)
{
    int status, bad = 0;

    for (int i = 0; i < 2; i++) {
        if (fork() == 0)
            exit(busy());
    }
    for (int i = 0; i < 2; i++) {
        CHECK(wait(-1, &status) > 0, "a child is missing");
        bad += status;
    }
    /* The one that is left when the other is done may run undisturbed. */
    return bad < 2 ? NULL : "two busy loops, and no one is ever preempted";
}

#define BULK 20000

static int send_bulk(int fd)
{
    uint8_t buffer[100];

    for (int sent = 0; sent < BULK; sent += (int)sizeof buffer) {
        for (size_t i = 0; i < sizeof buffer; i++)
            buffer[i] = (uint8_t)((size_t)sent + i);
        if (write(fd, buffer, sizeof buffer) != (int)sizeof buffer)
            return 1;
    }
    return 0;
}

static const char *test_pipe(void)
{
    uint8_t buffer[333];
    int ends[2], n, got = 0, wrong = 0, status;

    CHECK(pipe(ends) == 0, "no pipe");
    if (fork() == 0) {
        close(ends[0]);
        exit(send_bulk(ends[1]));
    }
    close(ends[1]);
    while ((n = read(ends[0], buffer, sizeof buffer)) > 0) {
        for (int i = 0; i < n; i++)
            wrong += buffer[i] != (uint8_t)(got + i);
        got += n;
    }
    close(ends[0]);
    CHECK(wait(-1, &status) > 0 && status == 0, "the writer failed");
    CHECK(got == BULK, "bytes lost, or no end");
    CHECK(wrong == 0, "bytes changed");
    return NULL;
}

static const char *test_broken_pipe(void)
{
    int ends[2];
    char c = 'x';

    CHECK(pipe(ends) == 0, "no pipe");
    close(ends[0]);
    CHECK(write(ends[1], &c, 1) == -1, "write with no reader does not fail");
    CHECK(read(ends[1], &c, 1) == -1, "reading the write end does not fail");
    close(ends[1]);
    CHECK(close(ends[1]) == -1, "closing twice does not fail");
    return NULL;
}

static const char *test_files(void)
{
    char text[8] = "";
    int fd = open("readme");

    CHECK(fd >= 0, "no readme");
    CHECK(read(fd, text, 5) == 5 && strcmp(text, "lumen") == 0, "contents");
    CHECK(seek(fd, 0, SEEK_SET) == 0 && dup2(fd, 9) == 9, "seek, dup2");
    CHECK(read(9, text, 2) == 2 && read(fd, text, 3) == 3, "reading");
    CHECK(text[0] == 'm', "dup2 does not share the position");
    CHECK(write(fd, text, 1) == -1, "a built-in file can be written");
    close(fd);
    close(9);
    CHECK(open("nothing") == -1, "a missing file can be opened");
    CHECK(read(15, text, 1) == -1, "a closed descriptor can be read");
    return NULL;
}

static const char *test_bad_pointers(void)
{
    int fd = open("readme");

    CHECK(write(1, (void *)0xC0101000, 4) == -1, "kernel memory was written");
    CHECK(read(fd, (void *)0xC0101000, 4) == -1, "kernel memory was read");
    CHECK(read(fd, (void *)test_fork, 4) == -1, "read into text");
    CHECK(read(fd, (void *)0x10, 4) == -1, "read to nowhere");
    CHECK(read(fd, (void *)0xBFFFFFF0, 0x50000000) == -1, "wrapping around");
    CHECK(exec((char *)0xC0101000, NULL) == -1, "kernel memory as path");
    CHECK(pipe((int *)0x400000) == -1, "pipe into text");
    close(fd);
    return NULL;
}

const struct self_test process_tests[] = {
    {"fork, exit, wait", test_fork},
    {"exec", test_exec},
    {"sleep", test_sleep},
    {"orphans", test_orphans},
    {"preemption", test_preemption},
    {"pipe of 20000 bytes", test_pipe},
    {"broken pipe", test_broken_pipe},
    {"files, dup2, seek", test_files},
    {"bad pointers", test_bad_pointers},
    {NULL, NULL},
};
