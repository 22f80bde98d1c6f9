#!/usr/bin/env bash
# Run one stage of `make test` and note its time in .stages.log: dev/stage.sh NAME COMMAND…
set -uo pipefail

name=$1
shift
start=$SECONDS
"$@"
code=$?
printf '  %-34s %5d s%s\n' "$name" $((SECONDS - start)) "$([ $code = 0 ] || echo '  failed')" | tee -a .stages.log
exit $code
