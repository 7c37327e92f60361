/* SPDX-License-Identifier: MIT */
/* tests/support/random.h - random numbers that a seed repeats (xorshift). */
#ifndef TESTS_SUPPORT_RANDOM_H
#define TESTS_SUPPORT_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

void random_seed(uint64_t seed);

uint32_t random_any(void);
uint32_t random_below(uint32_t n);
bool random_chance(unsigned percent);

#endif
