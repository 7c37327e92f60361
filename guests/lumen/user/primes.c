/* SPDX-License-Identifier: MIT */
/* primes N - count the primes up to N with a sieve: work in user mode only,
 * but for the first touch of each page. */
#include "lib.h"

int main(int argc, char **argv)
{
    int n = number_argument(argc, argv, 1, 10000), count = 0, last = 0;
    char *composite = sbrk(n + 1);

    if ((int)composite == -1) {
        printf("primes: no memory\n");
        return 1;
    }
    for (int i = 2; i <= n; i++) {
        if (composite[i])
            continue;
        count++;
        last = i;
        for (int j = 2 * i; j <= n; j += i)
            composite[j] = 1;
    }
    printf("primes: %d up to %d, the last is %d\n", count, n, last);
    return 0;
}
