#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Whatever the student's code does (tests/labs/hostile/*.c say what they want
# to see in their second comment), it gets its state and no points, the other
# tests are not affected, no process is left, and TAP and JSON stay whole.
#
# timeout: 180
set -u
export LC_ALL=C

if [[ -z ${UMBRA:-} || ! -x $UMBRA ]]; then
    echo 'UMBRA does not name the program: skipped'
    exit 77
fi
hostile=$PWD/tests/labs/hostile
solution=$PWD/labs/05-hidden-faults/solution/decide.c
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
chmod 755 "$scratch"
export TMPDIR=$scratch
cd "$scratch" || exit 1
mkdir work
failures=0

fail() {
    printf 'FAIL: %s\n' "$*"
    sed 's/^/    /' out err
    failures=$((failures + 1))
}

run() {
    local status=$1 got
    shift
    timeout 90 "$UMBRA" lab test work "$@" >out 2>err </dev/null
    got=$?
    [[ $got -eq $status ]] || fail "$name: status $got, not $status"
}

# Processes that live below the scratch folder, deleted or not.
orphans() {
    local process
    for process in /proc/[0-9]*; do
        [[ $(readlink "$process/cwd" 2>/dev/null) == "$scratch/umbra-lab"* ]] &&
            echo "$process"
    done
}

valid_json() {
    if command -v jq >/dev/null; then
        jq -e . "$1" >/dev/null
    elif command -v python3 >/dev/null; then
        python3 -m json.tool "$1" >/dev/null
    fi
}

for file in "$hostile"/*.c; do
    name=$(basename "$file")
    want=$(sed -nE 's|^ \* wanted: (.*) \*/$|\1|p' "$file")
    state=${want%% *} message=${want#* }
    cp "$file" work/decide.c
    run 1 -t tables-pages --json r.json
    [[ $state == failed ]] && state=FAIL
    grep -qE "^  tables-pages \.+ $state +0/2 " out || fail "$name: not $state"
    grep -F ' tables-pages ' out | grep -qF "$message" ||
        fail "$name: not '$message'"
    grep -qF '"points": 0,' r.json || fail "$name: points"
    valid_json r.json || fail "$name: no JSON"
    [[ -z $(orphans) ]] || fail "$name: processes are left: $(orphans)"
done
[[ -n $(ls -A "$scratch"/results.json "$scratch"/work/results.json \
    2>/dev/null) ]] && fail 'the code wrote a file'

# What the code prints is behind a bar, a comment or quotes.
name='what is printed'
cp "$hostile/prints.c" work/decide.c
run 1 -t tables-pages --tap
grep -q '^ok 2 - tables-pages$\|^1\.\.1$\|^Bail' out && fail "$name: TAP"
grep -q '^# printed: ok 2 - tables-pages$' out || fail "$name: not shown"
run 1 -t tables-pages
grep -q '^ok\|^score' out && fail "$name: text"
LC_ALL=C grep -q '[^[:print:][:space:]]' out && fail "$name: raw bytes"

# One test's end is not the others'.
name='a crash in one test'
sed '/^struct decision decide_fault/,/^{/s/^{/{\
    if (fault->large_pages)\
        *(volatile int *)8 = 1;/' "$solution" >work/decide.c
run 1 --json r.json
[[ $(grep -c ' crash  ' out) -eq 3 ]] || fail "$name: not 3 crashes"
grep -q '^score 8/12' out || fail "$name: score"
grep -q 'SIGSEGV at decide.c:[0-9]* (address 0x8)' out || fail "$name: place"
grep -q 'fault .* 0x' out || fail "$name: not which fault"

# TAP, as its own reader sees it.
name=TAP
cp "$solution" work/decide.c
run 0 --tap
if command -v prove >/dev/null; then
    timeout 60 prove -e "$UMBRA lab test --tap" work/decide.c >out 2>err ||
        fail "$name: prove does not accept the solution"
    cp "$hostile/prints.c" work/decide.c
    timeout 60 prove -e "$UMBRA lab test --tap" work/decide.c >out 2>err &&
        fail "$name: prove accepts a wrong one"
    grep -q 'Tests: 10 Failed: 9' out || fail "$name: prove's count"
    grep -qi 'parse error' out && fail "$name: prove: parse errors"
fi

# JSON of everything, and on standard output.
name=JSON
cp "$solution" work/decide.c
run 0 --json -
valid_json out || fail "$name: on standard output"
grep -q '"score": 12' out || fail "$name: score"
if command -v jq >/dev/null; then
    [[ $(jq -r '[.schema, .complete, .passed, .build.status, .max_score,
        (.tests | length), ([.tests[].points] | add)] | join(" ")' out) == \
        'umbra/lab-result/v1 true true passed 12 9 12' ]] || fail "$name: keys"
fi

# The grader killed in mid-run: what it had is on disk, and nothing runs on.
name='kill -9'
cp "$hostile/loop.c" work/decide.c
"$UMBRA" lab test work --json r.json >out 2>err </dev/null &
grader=$!
for ((i = 0; i < 200; i++)); do
    grep -q timeout r.json 2>/dev/null && break
    sleep 0.1
done
kill -9 $grader
wait $grader 2>/dev/null
valid_json r.json || fail "$name: no JSON"
grep -q '"complete": false' r.json || fail "$name: complete"
for ((i = 0; i < 50; i++)); do
    [[ -z $(orphans) ]] && break
    sleep 0.1
done
[[ -z $(orphans) ]] || fail "$name: processes are left"
rm -rf "$scratch"/umbra-lab-*

name='SIGINT'
timeout -s INT 1.5 "$UMBRA" lab test work >out 2>err </dev/null
[[ -z $(orphans) ]] || fail "$name: processes are left"
[[ -z $(find . -maxdepth 1 -name 'umbra-lab-*') ]] || fail "$name: folder"

# Without rights it works as well.
if [[ $(id -u) -eq 0 ]] && command -v setpriv >/dev/null; then
    name='another user'
    cp "$solution" work/decide.c
    chmod 755 work && chmod 644 work/decide.c && chmod 1777 .
    if setpriv --reuid 1234 --regid 1234 --clear-groups test -x "$UMBRA"; then
        for case in "$solution 0" "$hostile/fork.c 1"; do
            cp "${case% *}" work/decide.c
            timeout 60 setpriv --reuid 1234 --regid 1234 --clear-groups \
                "$UMBRA" lab test work -t tables >out 2>err </dev/null
            got=$?
            [[ $got -eq ${case#* } ]] || fail "$name: status $got"
        done
        grep -q 'forbidden' out || fail "$name: fork"
    fi
fi

if [[ $failures -gt 0 ]]; then
    echo "$failures failures"
    exit 1
fi
echo 'none of them got anywhere'
