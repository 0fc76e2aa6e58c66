#!/usr/bin/env bash
# A run is killed (SIGKILL) at random instants, all of it or one rank, also while it writes a checkpoint, and started again
# with another number of ranks until it is through: always resumable, and the same bits at the end. MMSOLD_KILLS such kills
# (default 6); MMSOLD_SEED for the instants.
set -eu
. "$(dirname "$0")/lib.sh"
enter_scratch kills
kills=${MMSOLD_KILLS:-6}
RANDOM=${MMSOLD_SEED:-7}

cat > c.yaml <<'YAML'
training: {source: spirals, count: 150}
score: {bandwidth: 0.05, smoothing: 0.1, smoothing_samples: 4}
sampler: {particles: 200, steps: 1500, step_size: auto}
output: {precision: double, trace_every: 7, checkpoint_minutes: 0.0005}
YAML
run_ranks 1 run c.yaml --quiet --output.directory=whole

same_as_whole() { same_bits whole/samples.h5 "$1/samples.h5" "$1, against the undisturbed run"; }

# The ranks of a launcher, by its process id.
ranks_of() { pgrep -P "$1" -f output.directory=killed-out || true; }

done_kills=0 one_rank=0 writing=0 finished=0 resumed=0
while [ $done_kills -lt "$kills" ]; do
  ranks=$((RANDOM % 3 + 2))
  mpirun --oversubscribe -n $ranks "$MMSOLD_PROGRAM" run c.yaml --output.directory=killed-out > log 2>&1 &
  job=$!
  way=$((RANDOM % 3))
  wait_for "grep -q '^particles' log || ! alive $job" 120
  if [ $way -eq 2 ]; then # USR1 over and over: a checkpoint is being written nearly all the time
    for attempt in $(seq $((RANDOM % 12 + 1))); do
      for pid in $(ranks_of $job); do kill -USR1 "$pid" 2> /dev/null || true; break; done
      sleep 0.01
    done
  else
    late=$((RANDOM % 500))
    sleep "$((late / 1000)).$(printf %03d $((late % 1000)))"
  fi
  pids=$(ranks_of $job)
  if [ -n "$pids" ]; then
    if [ $way -eq 0 ]; then
      kill -KILL "$(echo "$pids" | shuf -n 1 --random-source=<(yes "$RANDOM"))" 2> /dev/null || true
      one_rank=$((one_rank + 1))
    else
      # shellcheck disable=SC2086 # a list of numbers
      kill -KILL $job $pids 2> /dev/null || true
    fi
    done_kills=$((done_kills + 1))
  fi
  wait_for "! alive $job" 120 # the other ranks do not live on
  code=0; wait $job 2> /dev/null || code=$?
  if [ $way -eq 0 ] && [ $code -ne 0 ]; then
    grep -q 'mpirun noticed\|signal 9' log || { cat log; fail "a rank was killed and nobody said so"; }
  fi
  for pid in $pids; do wait_for "! alive $pid" 120; done
  [ -z "$(find killed-out -name '*.partial' 2> /dev/null)" ] || writing=$((writing + 1))
  ! grep -q '^resumed' log || resumed=$((resumed + 1))
  if grep -q 'damaged\|error' log; then cat log; fail "a killed run left something damaged"; fi
  if [ -e killed-out/samples.h5 ]; then
    same_as_whole killed-out
    rm -rf killed-out
    finished=$((finished + 1))
  fi
done
code=0; run_ranks 3 run c.yaml --quiet --output.directory=killed-out > log 2>&1 || { cat log; fail "not resumable after the kills"; }
same_as_whole killed-out
[ -z "$(find killed-out -name '*.partial')" ] || fail "a partial file of a killed run is left"

# Whatever instants those were, one is behind a checkpoint: a run that is held there.
hold behind
mpirun --oversubscribe -n 2 "$HELD_PROGRAM" run c.yaml --quiet --output.directory=behind > log 2>&1 &
job=$!
held behind
step_on behind # to the step that writes a checkpoint, for one is due by now
step_on behind # and the one after it
[ -n "$(find behind -name 'checkpoint-*.h5')" ] || fail "no checkpoint on the way"
pids=$(pgrep -P $job)
# shellcheck disable=SC2086 # a list of numbers
kill -KILL $job $pids
for pid in $job $pids; do wait_for "! alive $pid" 120; done
expect_exit 0 '^resumed' run_ranks 3 run c.yaml --output.directory=behind
same_as_whole behind

# USR1: a checkpoint, and the run goes on; --max-hours: an orderly stop before the limit
hold signalled
"$HELD_PROGRAM" run c.yaml --verbose --output.directory=signalled --output.checkpoint_minutes=0 > log 2>&1 &
job=$!
held signalled
kill -USR1 $job; code=0; wait $job || code=$?
[ $code -eq 0 ] && [ "$(grep -c '^checkpoint at step' log)" -ge 2 ] || { cat log; fail "USR1 gave no checkpoint (exit $code)"; }
same_as_whole signalled
expect_exit 75 'run the same command again' run_ranks 2 run c.yaml --output.directory=limited --sampler.steps=100000000 --max-hours 0.0008
steps=$(sed -n 's/^stopped.*after step \([0-9]*\) of.*/\1/p' expect.log)
[ "$steps" -ge 1 ] && [ -e "limited/checkpoint-$steps.h5" ] || fail "--max-hours left no checkpoint"
echo "$done_kills kills survived ($one_rank of one rank, $writing while a file was being written); $resumed resumes, $finished runs finished on the way"
