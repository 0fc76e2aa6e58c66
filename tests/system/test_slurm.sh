#!/usr/bin/env bash
# Truth v under a real Slurm: a job that runs into its time limit is stopped by the signal, goes back into the queue and
# finishes with the bits of an uninterrupted run, under srun and under mpirun; a rank that is killed ends the job
# and costs no result; a lost node neither; separate copies are refused; an array is ordinary runs.
# Nothing here depends on how fast a run is: one that something is to happen to waits for it in one of its first steps.
# What else there is to see is seen meanwhile. Limits on waiting only end a test that has failed.
set -eu
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/slurm.sh"
jobs=$MMSOLD_SOURCE/jobs
enter_scratch slurm
trap 'code=$?; jobs -p | xargs -r kill 2> /dev/null || true; slurm_stop; case $code in 0 | 77) cd / && rm -rf "$scratch" ;; esac; exit $code' EXIT
slurm_start
export MMSOLD=$HELD_PROGRAM

# info JOB FIELD: as Slurm knows it.
info() { scontrol --oneliner show job "$1" | sed -n "s/.*[[:space:]]$2=\([^[:space:]]*\).*/\1/p"; }

# ended JOB SECONDS STATE STATUS: wait for its end, which must be this one.
ended() {
  wait_for "case \$(info $1 JobState) in COMPLETED|FAILED|CANCELLED|TIMEOUT|NODE_FAIL) true ;; *) false ;; esac" "$2"
  got="$(info "$1" JobState) $(info "$1" ExitCode)"
  [ "$got" = "$3 $4" ] || { cat ./*"$1"*.log; fail "job $1 ended with $got instead of $3 $4"; }
}

# same_as_whole FOLDER: its run has the bits of one in one piece.
same_as_whole() { same_bits whole/samples.h5 "$1/samples.h5" "$1, against the uninterrupted run"; }

# near_limit FOLDER JOB: bring the time limit of a held run so near that Slurm, which looks every 30 s, sends its warning.
# With that the run goes on, and the limit is taken away again for what comes later; a job without --requeue is over then.
near_limit() {
  begun=$(date +%s -d "$(info "$2" StartTime)")
  scontrol update jobid="$2" timelimit=$((($(date +%s) - begun) / 60 + 5))
  wait_for "[ ! -e $1/held ]" 300
  scontrol update jobid="$2" timelimit=60 2> /dev/null || true
}

cat > small.yaml <<'YAML'
training: {source: spirals, count: 150}
score: {bandwidth: 0.05, smoothing: 0.1, smoothing_samples: 4}
sampler: {particles: 200, steps: 20, step_size: auto}
output: {precision: double, trace_every: 3}
YAML
cat > long.yaml <<'YAML'
training: {source: checkerboard, count: 1000}
score: {bandwidth: 0.05, smoothing: 0.1, smoothing_samples: 8}
sampler: {particles: 4000, steps: 60, step_size: auto, scheme: exponential}
output: {precision: double, trace_every: 5, checkpoint_minutes: 0}
YAML

# Into the time limit, requeued, to the end. The same without PMIx, as a chain of jobs on a cluster that doesn't requeue.
hold limited
hold chained
limited=$(sbatch --parsable "$jobs/run.sbatch" long.yaml --output.directory=limited)
"$jobs/chain.sh" --links 9 --every 1 "$jobs/mpirun.sbatch" long.yaml --output.directory=chained > chained.log 2>&1 &
chain=$!

# To lose a rank: stopped in order after its first step, requeued, and held when it has resumed.
hold killed
touch killed/stop
killed=$(sbatch --parsable "$jobs/run.sbatch" long.yaml --output.directory=killed)

# Without PMIx srun starts copies that don't know of each other. Open MPI stops where it sees that; an MPI that doesn't
# look (here: what it looks at is hidden) would go on, and is refused before anything is written.
separate() { sbatch --parsable -n2 -o copies-%j.log --wrap "srun --mpi=none $* '$MMSOLD' run small.yaml --output.directory=copies"; }
noticed=$(separate)
refused=$(separate env -u SLURM_NODELIST)

# An array: one of its tasks is stopped (a file `stop` in its folder) and requeued, the other is not touched by that.
mkdir -p array/seed-1 && touch array/seed-1/stop
array=$(sbatch --parsable --array=0-1 "$jobs/array.sbatch" small.yaml --output.directory=array)
counts=$(PARTICLES="100 200" sbatch --parsable --array=3 "$jobs/array.sbatch" small.yaml)

# The cells of a study, one a task, one of them stopped and requeued; afterwards the command collects them.
mkdir -p cells/cells/particles-50_seed-1 && touch cells/cells/particles-50_seed-1/stop
{ cat small.yaml && echo 'converge: {particles: [50, 100], seeds: 2}'; } > study.yaml
cells=$(sbatch --parsable --array=1-4 "$jobs/cells.sbatch" study.yaml --output.directory=cells)

# A rank that takes its time to leave keeps its exit status, though srun hurries it with TERM.
cat > slow.c <<'C'
#include <stdlib.h>
#include <unistd.h>
__attribute__((destructor)) static void leave_late(void) {
  const char *rank = getenv("SLURM_PROCID");
  if (rank != NULL && atoi(rank) == 1) sleep(2);
}
C
cc -shared -fPIC -o slow.so slow.c
printf '#!/bin/sh\nLD_PRELOAD=%s/slow.so exec "%s" "$@"\n' "$scratch" "$MMSOLD_PROGRAM" > slow && chmod +x slow
mkdir -p slowly && touch slowly/stop
slowly=$(MMSOLD=./slow sbatch --parsable --no-requeue "$jobs/run.sbatch" small.yaml --output.directory=slowly)

held limited
held chained
first=$(sed -n 's/^link 1 .*job //p' chained.log)
near_limit limited "$limited" &
warned=$!
near_limit chained "$first" &
first_warned=$!

run_ranks 2 run long.yaml --quiet --output.directory=whole
for seed in 0 1; do run_ranks 1 run small.yaml --quiet --output.directory="alone-$seed" --sampler.seed=$seed; done
ended "$noticed" 300 FAILED 1:0
ended "$refused" 300 FAILED 2:0
grep -q 'separate copies' "copies-$refused.log" || fail "no word on separate copies"
[ ! -e copies ] || fail "separate copies left a folder"
ended "$slowly" 300 FAILED 75:0

# A chain ends at its last link, and at once where the input is wrong.
mkdir -p link && touch link/stop
expect_exit 75 'not finished after 1 links' "$jobs/chain.sh" --links 1 --every 1 "$jobs/mpirun.sbatch" small.yaml \
  --output.directory=link
expect_exit 0 'finished with link 1' "$jobs/chain.sh" --links 1 --every 1 "$jobs/mpirun.sbatch" small.yaml \
  --output.directory=link
"$jobs/chain.sh" --every 1 "$jobs/run.sbatch" small.yaml --score.bandwidht=1 > chain.log 2>&1 &&
  fail "a chain of nonsense"
[ "$(grep -c '^link' chain.log)" -eq 1 ] || { cat chain.log; fail "wrong input was submitted again"; }

ended "${array}_0" 300 COMPLETED 0:0
ended "${array}_1" 300 COMPLETED 0:0
ended "${counts}_3" 300 COMPLETED 0:0
[ "$(info "${array}_0" Restarts) $(info "${array}_1" Restarts)" = "0 1" ] || fail "the wrong task was requeued"
for seed in 0 1; do
  h5diff -q "alone-$seed/samples.h5" "array/seed-$seed/samples.h5" /samples /samples || fail "seed $seed of the array"
done
if h5diff -q alone-0/samples.h5 alone-1/samples.h5 /samples /samples; then fail "h5diff sees no difference between seeds"; fi
h5diff -q alone-1/samples.h5 small-array/particles-200-seed-1/samples.h5 /samples /samples || fail "particle counts"

for cell in 1 2 3 4; do ended "${cells}_$cell" 300 COMPLETED 0:0; done
[ "$(info "${cells}_1" Restarts) $(info "${cells}_2" Restarts)" = "0 1" ] || fail "the wrong cell was requeued"
run_ranks 1 converge study.yaml --output.directory=cells > cells.txt 2> cells.log || { cat cells.log; fail "nothing was collected"; }
run_ranks 2 converge study.yaml --quiet --output.directory=cells-here > cells-here.txt
diff cells.txt cells-here.txt || fail "the cells of an array are not those of one command"

wait "$warned" || fail "no warning of its time limit came to the job's ranks"
ended "$limited" 300 COMPLETED 0:0
[ "$(info "$limited" Restarts)" -ge 1 ] || { cat "mmsold-$limited.log"; fail "the time limit never stopped the run"; }
for word in 'stopped .*in order' 'resumed' 'finished'; do
  grep -q "^$word" "mmsold-$limited.log" || fail "no \"$word\" in the job's log"
done
same_as_whole limited
wait "$first_warned" || fail "no warning of its time limit came to the ranks of the chain's first job"
wait "$chain" || { cat chained.log ./mmsold-*.log; fail "the chain broke"; }
grep -q 'stopped in order' chained.log || { cat chained.log; fail "the time limit never stopped the chain's first job"; }
same_as_whole chained

# A rank dies while the others wait for it: they are told by TERM, and everything ends within seconds, each process by
# itself (143 is theirs; Slurm would kill them after KillWait); nothing requeues it by itself, and the same line goes on.
held killed
(wait_for "grep -q '^resumed' mmsold-$killed.log" 60) || # which srun may write a moment after the run did
  { cat "mmsold-$killed.log"; fail "the run that was stopped in order did not go on"; }
kill -KILL "$(scontrol listpids "$killed.0" | awk '$5 == 1 { print $1 }')"
let_go killed
died=$SECONDS
ended "$killed" 300 FAILED 143:0
[ "$(info "$killed" Restarts)" = 1 ] || fail "the job whose rank was killed was requeued"
grep -q 'another rank may be dead' "mmsold-$killed.log" || { cat "mmsold-$killed.log"; fail "nobody said why the run ended"; }
echo "a killed rank ended its job within $((SECONDS - died)) s"
killed=$(sbatch --parsable "$jobs/run.sbatch" long.yaml --output.directory=killed)
ended "$killed" 300 COMPLETED 0:0
grep -q '^resumed' "mmsold-$killed.log" || fail "the run whose rank was killed started over"
same_as_whole killed

# A lost node: its daemon and all that it started are gone at once. The job goes back into the queue by itself, and is not
# called finished by an srun that can start nothing at first; so a second time. A job's USR1 is a checkpoint, here the only one.
lose_node() {
  keepers=$(pgrep -f "^slurmstepd: \\[$lost\\.")
  started=$(for keeper in $keepers; do pgrep -P "$keeper" || true; done)
  started="$started $(for one in $started; do pgrep -P "$one" || true; done)"
  # shellcheck disable=SC2086 # lists of numbers
  kill -KILL "$(cat "$slurm_place/slurmd.pid")" $keepers $started
  scontrol update nodename=n0 state=down reason=lost
  wait_for "[ \"\$(info $lost JobState)\" = PENDING ]" 300
  slurmd -f "$SLURM_CONF" -N n0
}
# so_far RESUMED FINISHED: that many lines in its log, which srun may write a moment after the run did.
said() { echo "$(grep -c '^resumed' "mmsold-$lost.log") $(grep -c '^finished' "mmsold-$lost.log")"; }
so_far() {
  (wait_for "[ \"\$(said)\" = '$1 $2' ]" 60) ||
    { cat "mmsold-$lost.log"; fail "the run of the lost node: not resumed $1 and finished $2 times"; }
}
hold lost
lost=$(sbatch --parsable "$jobs/run.sbatch" long.yaml --output.directory=lost)
held lost
[ -z "$(find lost -name 'checkpoint-*')" ] || fail "a checkpoint that nobody asked for"
hold lost
sleep 1.5 # it looks again in its next step
scancel --signal=USR1 "$lost.0"
held lost # in the step that learns of the signal
step_on lost # and in the one behind its checkpoint
ls lost/checkpoint-*.h5 > checkpoints || { cat "mmsold-$lost.log"; fail "a job's USR1 gave no checkpoint"; }
so_far 0 0
hold lost
lose_node
held lost
so_far 1 0
lose_node
ended "$lost" 300 COMPLETED 0:0
[ "$(info "$lost" Restarts)" = 2 ] || fail "the job of the lost node was not requeued"
so_far 2 1
same_as_whole lost

echo "the job that ran into its time limit:"
cat "mmsold-$limited.log"
echo "the chain:"
cat chained.log
echo "Slurm holds after $SECONDS s"
