# SPDX-License-Identifier: MIT
#
# Sourced by the tests of commands: $umbra, a folder $scratch that goes away,
# and fail, with which a test goes on; `finish` is its end.
export LC_ALL=C
umbra=${UMBRA:-build/umbra}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
failures=0

fail() {
    printf 'FAIL: %s\n' "$*"
    failures=$((failures + 1))
}

# needs COMMAND...: skipped without one of them.
needs() {
    local command
    for command; do
        command -v "$command" >/dev/null && continue
        echo "no $command: skipped"
        exit 77
    done
}

# finish TEXT: what is shown now.
finish() {
    if ((failures)); then
        echo "$failures failures"
        exit 1
    fi
    echo "$1"
}
