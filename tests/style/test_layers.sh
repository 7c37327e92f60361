#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# A folder includes only itself and what stands below it.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/style/files.sh

# folder: the other folders it may include
layers='
trace:
cpu: trace
io: cpu trace
shadowmmu: cpu trace
tlb: shadowmmu cpu trace
traps: shadowmmu io cpu trace
vmm: traps tlb shadowmmu io cpu trace guests
visualizer: vmm cpu trace
labs: vmm shadowmmu cpu trace
cli: labs visualizer vmm traps tlb shadowmmu io cpu trace guests
'
# outside header (a regular expression) and the only place that includes it
outside='
^(unicorn|Zydis|Zycore)/ ^cpu/
^(ncursesw/)?n?curses\.h$ ^visualizer/tty_curses\.c$
'

# shellcheck disable=SC2016 # awk's own variables
style_files | grep -E '^[a-z]+/.*\.[ch]$' | grep -vE '^(guests|tests)/' |
    LAYERS=$layers OUTSIDE=$outside xargs -r -d '\n' awk '
    BEGIN {
        n = split(ENVIRON["LAYERS"], line, "\n")
        for (i = 1; i <= n; i++) {
            m = split(line[i], word, /[: ]+/)
            if (word[1] == "") continue
            folder[word[1]] = folder["guests"] = 1
            for (j = 1; j <= m; j++) may[word[1], word[j]] = 1
        }
        n = split(ENVIRON["OUTSIDE"], line, "\n")
        for (i = 1; i <= n; i++)
            if (split(line[i], word, " ") == 2) only[word[1]] = word[2]
    }
    function wrong(why) {
        printf "%s:%d: %s: %s\n", FILENAME, FNR, why, $0
        bad = 1
    }
    !/^[ \t]*#[ \t]*include[ \t]*[<"]/ { next }
    {
        here = FILENAME
        sub(/\/.*/, "", here)
        if (!(here in folder)) next
        name = $0
        sub(/^[^<"]*[<"]/, "", name)
        sub(/[>"].*/, "", name)
        if (name ~ /(^|\/)\.\.?\//) wrong("name the folder instead of ..")
        for (header in only)
            if (name ~ header && FILENAME !~ only[header])
                wrong("only " only[header] " may include this")
        there = name
        if (!sub(/\/.*/, "", there)) next
        if ((there in folder) && !((here, there) in may))
            wrong(here "/ may not include " there "/")
    }
    END { exit bad }'
