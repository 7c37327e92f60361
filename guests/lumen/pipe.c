/* SPDX-License-Identifier: MIT */
/* pipe.c - a ring of bytes between two processes. The whole pipe is one frame.
 *
 * Readers sleep while it is empty, writers while it is full. With all writers
 * gone a reader gets 0, the end; with all readers gone a writer gets -1.
 */
#include "irq.h"
#include "kernel.h"
#include "proc.h"

#define PIPE_BYTES 2048u /* a power of two                          */

struct pipe {
    uint32_t read, written; /* bytes so far; they may wrap             */
    bool has_reader, has_writer;
    uint8_t ring[PIPE_BYTES];
};

struct pipe *pipe_create(void)
{
    phys_t frame = frame_alloc();
    struct pipe *pipe = phys_to_virt(frame);

    if (frame == 0)
        return NULL;
    pipe->has_reader = true;
    pipe->has_writer = true;
    return pipe;
}

void pipe_close(struct pipe *pipe, bool writer)
{
    if (writer)
        pipe->has_writer = false;
    else
        pipe->has_reader = false;
    sched_wake(pipe);
    if (!pipe->has_reader && !pipe->has_writer)
        frame_free(virt_to_phys(pipe));
}

static void pipe_wait(struct pipe *pipe)
{
    uint32_t state = irq_save();

    sched_wake(pipe);
    sched_sleep(pipe);
    irq_restore(state);
}

int32_t pipe_read(struct pipe *pipe, void *buffer, uint32_t bytes)
{
    uint8_t *to = buffer;
    uint32_t done = 0;

    while (pipe->read == pipe->written && pipe->has_writer && bytes > 0)
        pipe_wait(pipe);
    while (done < bytes && pipe->read != pipe->written)
        to[done++] = pipe->ring[pipe->read++ % PIPE_BYTES];
    sched_wake(pipe);
    return (int32_t)done;
}

int32_t pipe_write(struct pipe *pipe, const void *buffer, uint32_t bytes)
{
    const uint8_t *from = buffer;

    for (uint32_t done = 0; done < bytes;) {
        if (!pipe->has_reader)
            return -1;
        if (pipe->written - pipe->read == PIPE_BYTES)
            pipe_wait(pipe);
        else
            pipe->ring[pipe->written++ % PIPE_BYTES] = from[done++];
    }
    sched_wake(pipe);
    return (int32_t)bytes;
}
