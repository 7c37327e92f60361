/* SPDX-License-Identifier: MIT */
/* question.h - this lab's words in the messages of protocol.h. */
#ifndef LABS_HIDDEN_FAULTS_QUESTION_H
#define LABS_HIDDEN_FAULTS_QUESTION_H

enum {
    ASK_ADDRESS,
    ASK_WRITE,
    ASK_USER,
    ASK_ERROR,
    ASK_CR3,
    ASK_WP,
    ASK_PSE,
};

enum {
    SAID_VERDICT, /* as enum verdict of decide.h */
    SAID_PAGE,
    SAID_WRITABLE,
    SAID_USER,
    SAID_ERROR,
};

enum { VERDICT_UNDECIDED, VERDICT_FILL, VERDICT_REFLECT };

#endif
