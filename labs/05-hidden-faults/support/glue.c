/* SPDX-License-Identifier: MIT */
/* glue.c - between the runner's words and the student's decide_fault(). */
#include "decide.h"
#include "protocol.h"
#include "question.h"

lab_answer_fn umbra_lab_answer;

static uint32_t (*read_word)(uint32_t address);

uint32_t guest_read(uint32_t gpa)
{
    return read_word(gpa);
}

void umbra_lab_answer(const uint32_t *question, uint32_t *answer,
                      uint32_t (*read)(uint32_t address))
{
    struct fault_info fault = {
        .address = question[ASK_ADDRESS],
        .write = question[ASK_WRITE] != 0,
        .user = question[ASK_USER] != 0,
        .real_error = question[ASK_ERROR],
        .cr3 = question[ASK_CR3],
        .write_protect = question[ASK_WP] != 0,
        .large_pages = question[ASK_PSE] != 0,
    };
    read_word = read;
    struct decision d = decide_fault(&fault);
    answer[SAID_VERDICT] = (uint32_t)d.verdict;
    answer[SAID_PAGE] = d.page;
    answer[SAID_WRITABLE] = d.writable;
    answer[SAID_USER] = d.user;
    answer[SAID_ERROR] = d.error;
}
