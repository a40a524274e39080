# Sourced by the tests of the command, with the path of the program as the test's first argument.
# Each test runs in a folder of its own.
# shellcheck shell=bash
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
drydock=$(realpath "${1:?"usage: $0 DRYDOCK"}")
# shellcheck disable=SC2034  # for the tests
fixtures=$here/../data/data
# shellcheck disable=SC2034
traces=$here/../traces
world=$(mktemp -d)
trap 'rm -rf "$world"' EXIT
cd "$world"
failures=0

complain() {
    echo "FAILED: $*" >&2
    failures=$((failures + 1))
}

# run ARGUMENT...: leaves the status in $status, standard output in out, standard error in err.
run() {
    status=0
    "$drydock" "$@" >out 2>err </dev/null || status=$?
}

# succeeds TEXT ARGUMENT...: status 0, nothing on standard error, TEXT on standard output.
succeeds() {
    run "${@:2}"
    if [[ $status -ne 0 || -s err ]]; then
        complain "drydock ${*:2}: status $status, $(cat err)"
    elif ! grep -qF -- "$1" out; then
        complain "drydock ${*:2}: expected '$1' in the output, got: $(cat out)"
    fi
}

# fails STATUS TEXT ARGUMENT...: that status, and one line with TEXT on standard error.
fails() {
    run "${@:3}"
    if [[ $status -ne $1 ]]; then
        complain "drydock ${*:3}: expected status $1, got $status: $(cat err)"
    elif [[ $(wc -l <err) -ne 1 || $(cat err) != "drydock: "* ]]; then
        complain "drydock ${*:3}: expected one line from drydock on standard error, got: $(cat err)"
    elif ! grep -qF -- "$2" err; then
        complain "drydock ${*:3}: expected '$2', got: $(cat err)"
    fi
}

# contains FILE TEXT: the text stands in the file.
contains() {
    grep -qF -- "$2" "$1" || complain "expected '$2' in $1"
}

finish() {
    if [[ $failures -gt 0 ]]; then exit 1; fi
    echo "$(basename "$0"): all as expected"
}
