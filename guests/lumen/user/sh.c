/* SPDX-License-Identifier: MIT */
/* sh - the shell: words, pipes, & for the background, a few builtins. */
#include "lib.h"

#define WORDS 20

static char line[128];

/* Split into words in place; the terminating NULL is for exec. */
static int split(char *text, char *words[WORDS + 1])
{
    int n = 0;

    while (n < WORDS) {
        while (*text == ' ')
            text++;
        if (*text == '\0')
            break;
        words[n++] = text;
        while (*text != ' ' && *text != '\0')
            text++;
        if (*text == ' ')
            *text++ = '\0';
    }
    words[n] = NULL;
    return n;
}

static void help(void)
{
    char name[NAME_BYTES];

    printf("builtin: help, exit, reboot. Also: a | b, a &.\nprograms:");
    for (int i = 0; file_name(i, name) >= 0; i++)
        printf(" %s", name);
    printf("\n");
}

static bool builtin(const char *word)
{
    if (strcmp(word, "exit") == 0)
        power(POWER_OFF);
    if (strcmp(word, "reboot") == 0)
        power(POWER_REBOOT);
    if (strcmp(word, "help") != 0)
        return false;
    help();
    return true;
}

static _Noreturn void become(char *words[], int in, int out)
{
    if (in != 0) {
        dup2(in, 0);
        close(in);
    }
    if (out != 1) {
        dup2(out, 1);
        close(out);
    }
    exec(words[0], words);
    dup2(2, 1);
    printf("sh: no program %s\n", words[0]);
    exit(127);
}

/* One stage of a pipeline. Returns the pid, -1 if there is nothing to run. */
static int start_stage(char *text, int in, int out, int unused)
{
    char *words[WORDS + 1];
    int pid;

    if (split(text, words) == 0)
        return -1;
    pid = fork();
    if (pid == 0) {
        if (unused >= 0)
            close(unused);
        become(words, in, out);
    }
    if (pid < 0)
        printf("sh: cannot fork\n");
    return pid;
}

/* Where the text has a |, end it and return what follows. */
static char *next_stage(char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '|') {
            *text = '\0';
            return text + 1;
        }
    }
    return NULL;
}

static void run_pipeline(char *text, bool background)
{
    int in = 0, pids[WORDS], count = 0, status;

    while (text && count < WORDS) {
        char *rest = next_stage(text);
        int ends[2] = {-1, 1};

        if (rest && pipe(ends) < 0) {
            printf("sh: no pipe left\n");
            break;
        }
        pids[count] = start_stage(text, in, ends[1], ends[0]);
        if (pids[count] > 0)
            count++;
        if (in != 0)
            close(in);
        if (rest)
            close(ends[1]);
        in = ends[0];
        text = rest;
    }
    if (in > 0)
        close(in);
    for (int i = 0; i < count && !background; i++)
        wait(pids[i], &status);
}

static void run_line(void)
{
    size_t n = strlen(line);
    bool background = false;
    char copy[sizeof line], *words[WORDS + 1];

    while (n > 0 && (line[n - 1] == ' ' || line[n - 1] == '&')) {
        background = background || line[n - 1] == '&';
        line[--n] = '\0';
    }
    memcpy(copy, line, sizeof line);
    if (split(copy, words) == 0 || (words[1] == NULL && builtin(words[0])))
        return;
    run_pipeline(line, background);
}

int main(void)
{
    int n, status;

    printf("\nlumen - a small operating system. Type help for help.\n");
    for (;;) {
        while (wait_nohang(-1, &status) > 0)
            ;
        printf("lumen$ ");
        n = read(0, line, sizeof line - 1);
        if (n <= 0) { /* end of input                     */
            printf("\n");
            return 0;
        }
        line[n - 1] = '\0'; /* in place of the newline          */
        run_line();
    }
}
