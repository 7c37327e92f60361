/* SPDX-License-Identifier: MIT */
/* visualizer/script.c - key scripts: what a user would do, as text.
 *
 *     # the third trap, then its address
 *     3t                  keys, with a count
 *     Enter               a key by its name
 *     :save-screen a.txt  a command
 *     :expect T true
 */
#include <ctype.h>
#include <string.h>

#include "visualizer/session.h"

/* Digits, then the name of one key. */
static bool play_keys(struct session *s, const char *line)
{
    const char *name = line;
    while (isdigit((unsigned char)*name) && name[1])
        name++;
    int key = key_by_name(name);
    if (key == UI_KEY_NONE) {
        session_say(s, "\"%s\" is neither a key nor a command.", line);
        return false;
    }
    if (name > line) { /* a count, even where a digit is a screen */
        unsigned count = 0;
        for (const char *digit = line; digit < name && count < 100000; digit++)
            count = count * 10 + (unsigned)(*digit - '0');
        s->ui.count = count;
        s->ui.counting = true;
    }
    session_key(s, key);
    if (name == line)
        s->ui.last_digit = 0;
    return true;
}

bool session_script_line(struct session *s, const char *text)
{
    char line[UI_TEXT * 2];
    while (isspace((unsigned char)*text))
        text++;
    snprintf(line, sizeof line, "%s", text);
    size_t length = strlen(line);
    while (length && isspace((unsigned char)line[length - 1]))
        line[--length] = '\0';
    if (!line[0] || line[0] == '#')
        return true;
    s->ui.status[0] = '\0';
    if (s->ui.prompt != PROMPT_NONE) { /* the answer to a key's question */
        snprintf(s->ui.line, sizeof s->ui.line, "%.*s", UI_TEXT - 1, line);
        session_key(s, UI_KEY_ENTER);
        return true;
    }
    if ((line[0] == ':' && line[1]) || session_is_command(line))
        return session_command(s, line);
    return play_keys(s, line);
}

bool session_script(struct session *s, FILE *script, const char *name)
{
    char line[UI_TEXT * 2];
    for (int number = 1; !s->quit && fgets(line, sizeof line, script);
         number++) {
        if (!session_script_line(s, line)) {
            char message[UI_TEXT];
            snprintf(message, sizeof message, "%s", s->ui.status);
            session_say(s, "%s:%d: %s", name, number, message);
            s->status = 1;
            return false;
        }
        session_draw(s);
    }
    return true;
}
