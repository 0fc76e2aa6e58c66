#!/usr/bin/env bash
# Every call that small runs make is made to fail, one at a time: run_all.sh [STRIDE [RANKS:RANK:KIND[:lasting] ...]], RANK
# the one it fails on. A STRIDE above 1 takes every so many; 0 the first along each chain of callers (MMSOLD_FAULT_CALLERS:
# so many of the innermost). A crash, a hang, a silent loss or a wrong result is a failure; where MPI itself fails,
# anything but the program's own word and end, and the right bits when the same command is given again.
set -u
: "${MMSOLD_FAULT_RUN:?the program fault_run}"
stride=${1:-1}; [ $# -eq 0 ] || shift
[ $# -gt 0 ] || set -- 1:0:{system,memory,library,hdf5} 1:0:{system,hdf5}:lasting {2:0,2:1}:{system,memory,library,hdf5} 2:1:system:lasting \
  1:0:mpi {2:0,2:1}:mpi
scenarios=${MMSOLD_FAULT_SCENARIOS:-start resume fresh finished prepare}
shm=/dev/shm; [ -w $shm ] || shm=$PWD # a file in memory is synced at once
scratch=$(mktemp -d "$shm/mmsold-faults.XXXXXX") && cd "$scratch" || exit 1
trap 'cd / && rm -rf "$scratch"' EXIT
export OMPI_MCA_ess_singleton_isolated=1 OMPI_MCA_orte_tmpdir_base=$scratch/mpi OMPI_MCA_btl_vader_backing_directory=$scratch/mpi
export OMPI_MCA_mpi_yield_when_idle=1 # fault_run's ranks then sleep
mkdir mpi
total=0 bad=0

# sweep RANKS FIRST PLAN...: one process (or RANKS) for as many faults as it survives; its exit status
sweep() {
  ranks=$1; shift
  rm -rf work && mkdir work
  launch=(); [ "$ranks" -eq 1 ] || launch=(mpirun --oversubscribe -n "$ranks")
  (cd work && "${launch[@]}" "$MMSOLD_FAULT_RUN" "$1" "$stride" "${@:2}" 2> ../log > /dev/null)
}

for want in "$@"; do
  IFS=: read -r ranks MMSOLD_FAULT_RANK what <<< "$want"
  export MMSOLD_FAULT_RANK
  plans=() first=$((stride > 1 ? stride - 1 : 1)) injected=0
  for scenario in $scenarios; do plans+=("$scenario:$what"); done
  while [ ${#plans[@]} -gt 0 ]; do
    code=0; sweep "$ranks" "$first" "${plans[@]}" || code=$?
    grep -E '^NOT BORNE|^HANG' log
    [ "${MMSOLD_FAULT_COUNTS:-0}" -eq 0 ] || grep -E '^[a-z]+:[a-z:]+: [0-9]+ faults' log
    bad=$((bad + $(grep -c '^NOT BORNE' log)))
    read -r number call faults place < work/at || { cat log; echo "it did not begin"; exit 1; }
    injected=$((injected + faults))
    if [ $code -eq 0 ] || { [ $code -eq 3 ] && grep -q '^NOT BORNE' log; }; then break; fi
    injected=$((injected + 1))
    # Broken communication: one function says so and ends the run. Anything else is a crash or a hang.
    if [ "${what%%:*}" != mpi ] || [ $code -ne 1 ] || ! grep -q '^mmsold: error: MPI failed on rank' log; then
      bad=$((bad + 1))
      echo "NOT BORNE: rank $MMSOLD_FAULT_RANK of $ranks, $place: exit $code"
      tail -6 log
    elif ! (cd work && "$MMSOLD_FAULT_RUN" again "${plans[number]%%:*}" 2> ../again > /dev/null); then
      bad=$((bad + 1))
      echo "NOT BORNE: rank $MMSOLD_FAULT_RANK of $ranks, $place, the same command again:"
      tail -6 again
    fi
    [ $bad -lt "${MMSOLD_FAULT_MOST:-50}" ] || { echo "enough of them"; break 2; }
    plans=("${plans[@]:number}") first=$((call + (stride > 0 ? stride : 1)))
  done
  echo "$want: $injected faults"
  total=$((total + injected))
done
echo "$total faults injected, $bad not borne"
[ $bad -eq 0 ] && [ $total -gt 0 ]
