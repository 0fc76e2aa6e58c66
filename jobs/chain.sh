#!/usr/bin/env bash
# Keeps one run going across time limits until it is finished, on clusters that don't requeue: submits the job, waits for
# its end, and submits it again as long as it stopped in order (exit status 75) or lost its node.
#   jobs/chain.sh [--links N] [--every SECONDS] [sbatch's options] SCRIPT CONFIG [--section.key=value ...]
#   nohup jobs/chain.sh --time=04:00:00 jobs/mpirun.sbatch config/fashion.yaml > chain.log &
# At most N jobs (100), looking every SECONDS (30). Exit status: 0 finished; 75 not finished after N jobs; else that of
# the job that failed. Start it again if it was cut off itself: the run goes on, or says that it is finished.
set -euo pipefail

usage() {
  echo "usage: jobs/chain.sh [--links N] [--every SECONDS] [sbatch's options] SCRIPT CONFIG [--section.key=value ...]" >&2
  exit 2
}

links=100
every=30
while [ $# -ge 2 ]; do
  case $1 in
    --links) links=$2 ;;
    --every) every=$2 ;;
    *) break ;;
  esac
  [[ $2 =~ ^[1-9][0-9]*$ ]] || usage
  shift 2
done
[ $# -ge 2 ] || usage

job=
trap 'echo "cut off; job ${job:-none} stays in the queue: scancel ${job:-it} ends it" >&2; exit 1' INT TERM HUP

# Prints FIELD of the job as Slurm knows it: `JobState=RUNNING ... ExitCode=75:0 ...`. Nothing where Slurm doesn't answer.
field() { sed -n "s/.*[[:space:]]$1=\([^[:space:]]*\).*/\1/p" <<<"$record"; }

# Waits for the job's end; leaves its state and exit status behind.
wait_for_job() {
  while :; do
    sleep "$every"
    # A controller that is restarting or busy is asked again; one that no longer knows the job is not.
    if ! record=$(scontrol --oneliner show job "$job" 2>&1); then
      case $record in
        *"Invalid job id"*)
          echo "Slurm no longer knows job $job: start this again, the run goes on or says that it is finished" >&2
          exit 1
          ;;
      esac
      continue
    fi
    state=$(field JobState)
    case $state in
      PENDING | CONFIGURING | RUNNING | SUSPENDED | STOPPED | STAGE_OUT | SIGNALING | RESIZING | COMPLETING | REQUEUED | REQUEUE_HOLD | '') ;;
      *) break ;;
    esac
  done
  status=$(field ExitCode)
  status=${status%%:*}
}

for ((link = 1; link <= links; link++)); do
  # Without --no-requeue the script would requeue itself, which is fine too, and this would be one long link.
  job=$(sbatch --parsable --no-requeue "$@")
  job=${job%%;*} # with several clusters: "job;cluster"
  echo "link $link of at most $links: job $job"
  wait_for_job
  case $state:$status in
    COMPLETED:0)
      echo "finished with link $link"
      exit 0
      ;;
    FAILED:75) echo "job $job stopped in order, the run is not finished" ;;
    NODE_FAIL:* | PREEMPTED:* | BOOT_FAIL:*) echo "job $job ended with $state: the run goes on from its last checkpoint" ;;
    *)
      echo "job $job ended with $state, exit status $status: not submitted again; its log is $(field StdOut)" >&2
      [ "$status" -gt 0 ] || status=1
      exit "$status"
      ;;
  esac
done
echo "not finished after $links links; start this again to go on" >&2
exit 75
