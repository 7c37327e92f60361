/* SPDX-License-Identifier: MIT */
/* main.c - isPrime() of the number at the command line's end, or of 49: to
 * look at its translation (umbra disasm @isprime). The debug-exit port gets
 * the answer. */
#include "kit.h"

uint32_t ask_prime(uint32_t number);

_Noreturn void guest_main(const char *word[KIT_WORDS])
{
    const char *last = word[KIT_WORDS - 1];
    bool given = last[0] >= '0' && last[0] <= '9';
    uint32_t number = given ? kit_number(last) : 49;
    uint32_t answer = ask_prime(number);

    kit_print("isPrime(%u) = %u\n", number, answer);
    kit_exit(answer);
}
