#!/usr/bin/env bash
# Run two stages of `make test` side by side and show the first one's output after the second's:
# dev/beside.sh NAME COMMAND NAME COMMAND
set -uo pipefail

log=$(mktemp)
trap 'rm -f "$log"' EXIT
# shellcheck disable=SC2086  # commands are split into words
dev/stage.sh "$1" $2 >"$log" 2>&1 &
first=$!
failed=0
# shellcheck disable=SC2086
dev/stage.sh "$3" $4 || failed=1
wait $first || failed=1
cat "$log"
exit $failed
