/* SPDX-License-Identifier: MIT */
/* pv/balloon_call.c - the balloon, by hypercalls. */
#include "hypercall.h"
#include "kernel.h"
#include "machine.h"
#include "trap.h"

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
    phys_t at = frame * PAGE_SIZE;

    if (!frame_leaves(at))
        return false;
    if (hypercall2(PV_MEMORY_OP, PV_MEMORY_GIVE, frame) != 0) {
        if (p2m)
            frame_comes(at, p2m[frame]);
        return false;
    }
    frame_is_gone(at);
    return true;
}

void machine_balloon_take(uint32_t frame)
{
    int32_t machine_frame = hypercall2(PV_MEMORY_OP, PV_MEMORY_TAKE, frame);

    if (machine_frame < 0)
        panic(NULL, "the VMM does not give frame %x back", frame);
    frame_comes(frame * PAGE_SIZE, (uint32_t)machine_frame);
}
