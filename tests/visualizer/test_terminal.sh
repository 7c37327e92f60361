#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# umbra step in a real terminal (tmux): screens, keys, resizing, and the
# terminal's state afterwards. UMBRA: the program. timeout: 120
set -u

umbra=${UMBRA:-build/umbra}
command -v tmux >/dev/null || { echo "no tmux: skipped"; exit 77; }
[ -x "$umbra" ] || { echo "no $umbra: skipped"; exit 77; }
umbra=$(realpath "$umbra")

dir=$(mktemp -d)
export TMUX_TMPDIR=$dir
unset TMUX NO_COLOR
# Line drawing characters only where the locale has them: ASCII for the test.
export LC_ALL=C
# The processor library leaks a little; that is not what is tested here.
export ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0"
session=umbra-test
server=0

# Each start has a server of its own: one that is ending would be in the way.
mux() { tmux -L "umbra-$server" "$@"; }

finish() {
    mux kill-server 2>/dev/null
    rm -rf "$dir"
}
trap finish EXIT

screen() { mux capture-pane -p -t "$session" 2>/dev/null; }

fail() {
    echo "FAILED: $1"
    echo "---- the screen:"
    screen
    echo "---- standard error:"
    cat "$dir/err" 2>/dev/null
    exit 1
}

# wait_for TEXT: until the screen shows it; 20 seconds at most.
wait_for() {
    local tries
    for ((tries = 0; tries < 400; tries++)); do
        screen | grep -qF -- "$1" && return
        sleep 0.05
    done
    fail "'$1' does not come"
}

wait_gone() {
    local tries
    for ((tries = 0; tries < 400; tries++)); do
        screen | grep -qF -- "$1" || return
        sleep 0.05
    done
    fail "'$1' stays"
}

keys() { mux send-keys -t "$session" "$@"; }

# start OPTIONS: in a shell, which says when the program has ended.
start() {
    mux kill-server 2>/dev/null
    server=$((server + 1))
    if ! mux -f /dev/null new-session -d -s "$session" -x 80 -y 24 sh; then
        [ "$server" = 1 ] || fail "tmux does not start again"
        echo "tmux does not start here: skipped"
        exit 77
    fi
    mux set-option -g status off >/dev/null
    mux resize-window -t "$session" -x 80 -y 24
    keys "PS1='ready\$ '; clear" Enter
    wait_for 'ready$'
    keys "'$umbra' step $1 2>'$dir/err'; echo status=\$?" Enter
}

echo "bare: the screens"
start "--cpu bare"
wait_for '[1 Step]'
wait_for 'bare'
wait_for 'no VMM'
wait_for '? help'
keys '2'
wait_for '[2 Translation]'
wait_for 'Three questions'
keys '3'
wait_for '[3 Console]'
keys '?'
wait_for 'step one instruction'
keys Escape
wait_gone 'step one instruction'
keys '1'
wait_for '[1 Step]'

echo "bare: stepping, a message, a count"
keys s
wait_for '*'
keys '20s'
wait_for '[1 Step]'
keys '%'
wait_for 'There is no key %'
keys ':' 'screen console' Enter
wait_for '[3 Console]'
keys '1'

echo "resizing: too small, and back"
mux resize-window -t "$session" -x 20 -y 5
wait_for 'need 80x24'
mux resize-window -t "$session" -x 1 -y 1
mux resize-window -t "$session" -x 120 -y 40
wait_for 'Stack'
mux resize-window -t "$session" -x 80 -y 24
wait_gone 'Stack'
wait_for '[1 Step]'

echo "a run is stopped by a key"
keys c
wait_for 'RUNNING'
keys s
wait_gone 'RUNNING'

echo "the console: what is typed goes to the guest, which runs"
keys 3
keys i
wait_for 'TYPING'
wait_for 'lumen$'
keys 'help' Enter
wait_for 'programs:'
keys Escape
wait_gone 'TYPING'
keys 1
wait_for '[1 Step]'

echo "suspend and come back"
keys C-z
wait_for 'ready$'
keys 'clear; fg; echo status=$?' Enter
wait_for '[1 Step]'

echo "quit: the shell is as before"
keys q
wait_for 'status=0'
keys 'echo typed-$((40+2))' Enter
wait_for 'typed-42'

echo "a technique: what traps is said before"
start "--cpu trap --mmu shadow @lumen-trap"
wait_for 'Virtual against real'
keys t
wait_for 'Why:'
keys 2
wait_for 'PMap'
keys q
wait_for 'status=0'

echo "SIGTERM: the terminal is given back"
start "--cpu bare"
wait_for '[1 Step]'
keys t
wait_for 'O io'
pane=$(mux display-message -p -t "$session" '#{pane_pid}')
child=$(ps -o pid= --ppid "$pane" | head -n 1 | tr -d ' ')
[ -n "$child" ] || fail "the program is not there"
kill -TERM "$child"
wait_for 'status=143'
wait_for 'ready$'
keys 'echo typed-$((40+2))' Enter
wait_for 'typed-42'
grep -q 'the last' "$dir/err" || fail "no last events on standard error"

echo "a key script without a terminal"
cat >"$dir/demo.keys" <<KEYS
# three steps, one trap, the translation
3s
t
2
:expect [2 Translation]
:save-screen $dir/screen.txt
q
KEYS
"$umbra" step --cpu bare --keys "$dir/demo.keys" </dev/null >"$dir/out" \
    2>"$dir/err" || fail "the key script: status $?"
grep -q 'Three questions' "$dir/screen.txt" || fail "no saved screen"
grep -q '^Why: There is no VMM' "$dir/out" || fail "no sentences"

echo ":expect fails: status 1"
printf 's\n:expect never shown\n' >"$dir/bad.keys"
"$umbra" step --cpu bare --keys "$dir/bad.keys" </dev/null >"$dir/out" \
    2>"$dir/err"
status=$?
[ "$status" = 1 ] || fail "status $status, not 1"
grep -q 'bad.keys:2: expected' "$dir/err" || fail "no message"

echo "lines from a pipe"
printf 's\nstep 3\n2\nq\n' | "$umbra" step --cpu bare --plain >"$dir/out" \
    2>"$dir/err" || fail "plain: status $?"
grep -q '^Cycle .* Next, at' "$dir/out" || fail "no sentences"

echo "ok"
