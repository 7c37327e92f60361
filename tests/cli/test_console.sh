#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The keyboard and the text screen as the console, of a guest that has no other
# (guests/typing).
set -euo pipefail

: "${UMBRA:?}" "${UMBRA_BUILD:?}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

check() { # STATUS SCREEN OPTIONS...
    local wanted=$1 screen=$2 status=0
    shift 2
    printf 'Hi\n' > "$work/typed"
    "$UMBRA" run "$@" --max-cycles 200000000 "$UMBRA_BUILD/guests/typing" \
        < "$work/typed" > "$work/out" 2> "$work/err" || status=$?
    if [ $status -ne "$wanted" ] || [ "$(cat "$work/out")" != "$screen" ]; then
        echo "$*: exit status $status, said"
        cat "$work/out" "$work/err"
        exit 1
    fi
}

keys='2a 23 a3 aa 17 97 1c 9c'
check 1 "$keys" --cpu bare
check 1 "$keys" --cpu bt
check 1 "$keys" --cpu hvm --mmu nested
check 1 "$keys" --cpu bare --console screen
# Where COM1 goes is another matter.
check 1 "$keys" --cpu bare --console screen --serial null
check 1 "" --cpu bare --screen "$work/screen"
test "$(cat "$work/screen")" = "$keys"
check 124 "" --cpu bare --console serial
check 124 "" --cpu bare --serial null

# A guest that writes to COM1 alone: where its words are is told, once, to who
# could see them.
line='writes to COM1, and nothing to the screen: --console auto'
told() { # COUNT OPTIONS...
    local wanted=$1 count
    shift
    "$UMBRA" run --cpu bare --max-cycles 1000000000 "$@" \
        < /dev/null > "$work/out" 2> "$work/err" || true
    count=$(grep -c -e "$line" "$work/err" || true)
    if [ "$count" -ne "$wanted" ] || [ -s "$work/out" ]; then
        echo "$*: $count times, not $wanted"
        cat "$work/out" "$work/err"
        exit 1
    fi
}
told 1 --console screen
told 1 --console screen --append 'quiet run=forks,1'
told 0 --console screen --serial null
told 0 --serial null

status=0
"$UMBRA" run --console teletype 2> "$work/err" || status=$?
test $status -eq 2
grep -q 'auto, serial or screen' "$work/err"
echo "keys and screen by themselves and on request"
