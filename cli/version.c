/* SPDX-License-Identifier: MIT */
#include "cli/cli.h"

#include <argp.h>
#include <jansson.h>
#include <stdio.h>
#include <xxhash.h>

#ifndef UMBRA_VERSION
#define UMBRA_VERSION "0.1.0"
#endif

/* cpu/engine.h, which names the library's types, is cpu's own. */
const char *engine_version(void);

void cli_version(void)
{
    unsigned hash = XXH_versionNumber();
    printf("umbra %s\nUnicorn Engine %s\nJansson %s\nxxHash %u.%u.%u\n",
           UMBRA_VERSION, engine_version(), jansson_version_str(), hash / 10000,
           hash / 100 % 100, hash % 100);
}

/* umbra COMMAND --version says the same. */
static void hook(FILE *stream, struct argp_state *state)
{
    (void)stream;
    (void)state;
    cli_version();
}

void (*argp_program_version_hook)(FILE *, struct argp_state *) = hook;
