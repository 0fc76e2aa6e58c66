#!/usr/bin/env bash
# A sample of tests/faults/run_all.sh, which makes every call fail; and that what it looks for is found: a call that is
# said to be done and was not, a crash, a hang.
set -u
here=$(dirname "$0")
: "${MMSOLD_FAULT_RUN:?}"

# caught PLANT KIND WORD: such a fault is reported with WORD
caught() {
  MMSOLD_FAULT_PLANT=$1 MMSOLD_FAULT_MOST=1 MMSOLD_FAULT_SCENARIOS=start \
    bash "$here/run_all.sh" "$2" "1:0:$3" > caught.log 2>&1 && { cat caught.log; echo "FAILED: a planted $1 is not noticed"; exit 1; }
  grep -q "$4" caught.log || { cat caught.log; echo "FAILED: a planted $1 is not said"; exit 1; }
}
if [ "${MMSOLD_FAULT_FEW:-0}" -ne 0 ]; then # under sanitizers, where a run takes ten times as long
  MMSOLD_FAULT_SCENARIOS=resume bash "$here/run_all.sh" 307 1:0:{system,memory} || exit 1
  MMSOLD_FAULT_SCENARIOS=resume exec bash "$here/run_all.sh" 1999 1:0:hdf5 2:1:hdf5
fi
caught lie 1 rename 'the result is not there'
caught crash 100 system 'NOT BORNE: rank 0 of 1, start:system call 99'
MMSOLD_FAULT_SECONDS=2 caught hang 100 system '^HANG'

# Strides that are prime to each other, and such that a few dozen faults are left of all.
set -e
bash "$here/run_all.sh" 211 1:0:{system,memory}
bash "$here/run_all.sh" 997 1:0:hdf5 2:1:hdf5
MMSOLD_FAULT_SCENARIOS=start bash "$here/run_all.sh" 151 1:0:mpi 2:1:memory
# What all ranks do alike, and one alone cannot.
MMSOLD_FAULT_SCENARIOS=start bash "$here/run_all.sh" 3 2:1:mms_small_cholesky
