#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# umbra step --plain tells the VMCS by areas under hvm, and that there is none
# elsewhere.
set -euo pipefail

: "${UMBRA:?}"

told() { # TEXT INPUT OPTIONS...
    local text=$1 input=$2
    shift 2
    if ! printf '%s\n' "$input" 'quit' | "$UMBRA" step --plain "$@" |
        grep -- "$text" > /dev/null; then
        echo "$input under $*: no \"$text\""
        exit 1
    fi
}

told '^  6c00 CR0  *[0-9a-f]*$' 'vmcs host' --cpu hvm
told '^  4000 pin-based controls  *0000003f$' 'vmcs VM-execution' --cpu hvm
told '^  681e EIP  *0010000c$' 'vmcs' --cpu hvm
told 'There is no VMCS' 'vmcs' --cpu bare
told 'There is no VMCS, or none of its areas' 'vmcs nothing' --cpu hvm
echo "the VMCS is told"
