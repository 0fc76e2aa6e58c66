#!/usr/bin/env bash
# peak.sh RANKS COMMAND [ARGUMENT...]: runs COMMAND under mpirun and prints the largest share of the machine's memory that each
# rank ever took, in KiB, a line a rank: PSS of /proc/PID/smaps_rollup, looked at some hundred times a second. A peak that is
# over sooner is missed, and so is what a rank takes when another has ended and shares no libraries with it any more. The
# command's output goes to stderr; its exit status is passed on.
set -uo pipefail
ranks=$1
shift
mpirun --oversubscribe -n "$ranks" "$@" 1>&2 &
launcher=$!
trap 'kill "$launcher" 2>/dev/null' INT TERM
pids=()
while [ ${#pids[@]} -lt "$ranks" ] && kill -0 "$launcher" 2>/dev/null; do
  mapfile -t pids < <(pgrep -P "$launcher" -x "$(basename "$1")")
done
exec {nothing}<> <(:)
declare -A peak now
for pid in "${pids[@]}"; do peak[$pid]=0; done
while :; do
  alive=0
  for pid in "${pids[@]}"; do
    while read -r key value _; do
      [ "$key" = Pss: ] || continue
      alive=$((alive + 1))
      now[$pid]=$value
      break
    done <"/proc/$pid/smaps_rollup"
  done 2>/dev/null
  [ "$alive" -gt 0 ] || break
  if [ "$alive" -eq "$ranks" ]; then
    for pid in "${pids[@]}"; do [ "${now[$pid]}" -le "${peak[$pid]}" ] || peak[$pid]=${now[$pid]}; done
  fi
  read -rt 0.002 -u "$nothing" || true
done
wait "$launcher"
code=$?
for pid in "${pids[@]}"; do echo "${peak[$pid]}"; done
exit "$code"
