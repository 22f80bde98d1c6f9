#!/usr/bin/env bash
# Run stages of `make test` side by side: dev/beside.sh NAME COMMAND [NAME COMMAND …]
# The last one's output is shown as it comes, the others' whole once all have ended.
set -uo pipefail

logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
failed=0
stages=()
while [ $# -gt 2 ]; do
  # shellcheck disable=SC2086  # commands are split into words
  dev/stage.sh "$1" $2 >"$logs/${#stages[@]}" 2>&1 &
  stages+=($!)
  shift 2
done
# shellcheck disable=SC2086
dev/stage.sh "$1" $2 || failed=1
for index in "${!stages[@]}"; do
  wait "${stages[$index]}" || failed=1
  cat "$logs/$index"
done
exit $failed
