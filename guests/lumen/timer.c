/* SPDX-License-Identifier: MIT */
/* timer.c - a hundred ticks a second, counted. */
#include "proc.h"
#include "trap.h"

static volatile uint32_t ticks;

uint32_t timer_ticks(void)
{
    return ticks;
}

void timer_interrupt(bool from_user)
{
    ticks++;
    balloon_tick();
    sched_tick(from_user);
}
