/* SPDX-License-Identifier: MIT */
/* pv/balloon_call.c - the balloon, by hypercalls. */
#include "hypercall.h"
#include "machine.h"

bool machine_has_balloon(void)
{
    return hypercall1(PV_MEMORY_OP, PV_MEMORY_HELD) >= 0;
}

uint32_t machine_balloon_target(void)
{
    return (uint32_t)hypercall1(PV_MEMORY_OP, PV_MEMORY_TARGET);
}

bool machine_balloon_give(uint32_t frame)
{
    return hypercall2(PV_MEMORY_OP, PV_MEMORY_GIVE, frame) == 0;
}

void machine_balloon_take(uint32_t frame)
{
    hypercall2(PV_MEMORY_OP, PV_MEMORY_TAKE, frame);
}
