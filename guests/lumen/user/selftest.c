/* SPDX-License-Identifier: MIT */
/* selftest [PASSED FAILED] - what the kernel promises to programs. The
 * arguments are the score of the tests that ran inside the kernel.
 *
 * Every test ends, whatever the kernel does.
 */
#include "selftest.h"

static char output[512]; /* what the last program printed       */

int in_child(int (*function)(void))
{
    int status = -1, pid = fork();

    if (pid == 0)
        exit(function());
    return wait(pid, &status) == pid ? status : -1;
}

int run(char *const argv[])
{
    int ends[2], status = -1, pid, n;
    size_t used = 0;

    if (pipe(ends) < 0)
        return -1;
    pid = fork();
    if (pid == 0) {
        close(ends[0]);
        dup2(ends[1], 1);
        close(ends[1]);
        exec(argv[0], argv);
        exit(127);
    }
    close(ends[1]);
    while (used < sizeof output - 1 &&
           (n = read(ends[0], output + used, sizeof output - 1 - used)) > 0)
        used += (size_t)n;
    output[used] = '\0';
    close(ends[0]);
    return wait(pid, &status) == pid ? status : -1;
}

bool printed(const char *text)
{
    return strcmp(output, text) == 0;
}

static void run_table(const struct self_test *test, int *passed, int *failed)
{
    for (; test->name; test++) {
        const char *why = test->run();

        if (why)
            printf("FAIL %s: %s\n", test->name, why);
        else
            printf("ok %s\n", test->name);
        *(why ? failed : passed) += 1;
    }
}

int main(int argc, char **argv)
{
    int passed = number_argument(argc, argv, 1, 0);
    int failed = number_argument(argc, argv, 2, 0);

    run_table(process_tests, &passed, &failed);
    run_table(memory_tests, &passed, &failed);
    run_table(program_tests, &passed, &failed);

    if (failed == 0)
        printf("lumen: self-test passed, %d tests\n", passed);
    else
        printf("lumen: self-test FAILED, %d of %d tests\n", failed,
               passed + failed);
    return failed != 0;
}
