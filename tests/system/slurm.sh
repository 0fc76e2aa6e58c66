# A Slurm of one machine, for tests: slurm_start starts munged, slurmctld and slurmd in a folder of their own and
# exports SLURM_CONF; slurm_stop ends all jobs and them. Needs root. Several may run on one machine: each has its own
# ports, keys and job numbers.

slurm_skip() {
  echo "skipped: $*"
  exit 77
}

slurm_start() {
  [ "$(id -u)" -eq 0 ] || slurm_skip "starting Slurm's daemons needs root"
  for tool in munged mungekey munge slurmctld slurmd sbatch srun; do
    command -v "$tool" >/dev/null || slurm_skip "$tool is not installed (slurm-wlm, munge)"
  done
  # Short and outside the build: munged's socket has to fit into the 107 characters of a socket's name.
  slurm_place=$(mktemp -d /tmp/mmsold-slurm.XXXXXX)
  chmod 755 "$slurm_place"
  mkdir -p "$slurm_place/state" "$slurm_place/spool" "$slurm_place/log" "$slurm_place/pmix"
  # Open MPI names its shared memory by the number of the job, which another Slurm on this machine may have given too.
  slurm_shared=$(mktemp -d -p /dev/shm mmsold-slurm.XXXXXX 2>/dev/null || mktemp -d -p "$slurm_place")
  export OMPI_MCA_btl_vader_backing_directory=$slurm_shared OMPI_MCA_osc_sm_backing_directory=$slurm_shared
  # Two ports that nobody listens on.
  slurm_port=$((20000 + 2 * ($$ % 5000)))
  while grep -Eqis "^ *[0-9]+: [0-9A-F]+:($(printf '%04X|%04X' $slurm_port $((slurm_port + 1)))) " /proc/net/tcp /proc/net/tcp6; do
    slurm_port=$((20000 + (slurm_port - 20000 + 2) % 10000))
  done
  cat >"$slurm_place/slurm.conf" <<CONF
ClusterName=test
SlurmctldHost=localhost
AuthType=auth/munge
# A requeued job waits for as long as a credential lives: two minutes if not told otherwise.
AuthInfo=socket=$slurm_place/munge.socket,cred_expire=5
SchedulerParameters=bf_interval=2,sched_interval=2
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
MpiDefault=pmix
ReturnToService=2
SlurmUser=root
SlurmdUser=root
SlurmctldPort=$slurm_port
StateSaveLocation=$slurm_place/state
SlurmdSpoolDir=$slurm_place/spool
SlurmctldPidFile=$slurm_place/slurmctld.pid
SlurmdPidFile=$slurm_place/slurmd.pid
SlurmctldLogFile=$slurm_place/log/slurmctld.log
SlurmdLogFile=$slurm_place/log/slurmd.log
FirstJobId=$((1 + 1000 * ($$ % 60000)))
KillWait=120
MinJobAge=3600
MessageTimeout=60
TCPTimeout=30
BatchStartTimeout=120
JobRequeue=1
NodeName=n0 NodeHostname=localhost NodeAddr=127.0.0.1 Port=$((slurm_port + 1)) CPUs=12 Sockets=1 CoresPerSocket=12 ThreadsPerCore=1 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=60 State=UP
CONF
  echo "PMIxCliTmpDirBase=$slurm_place/pmix" >"$slurm_place/mpi.conf"
  export SLURM_CONF="$slurm_place/slurm.conf"
  mungekey --create --keyfile="$slurm_place/munge.key" || slurm_refused "mungekey makes no key"
  munged --force --key-file="$slurm_place/munge.key" --socket="$slurm_place/munge.socket" \
    --pid-file="$slurm_place/munged.pid" --log-file="$slurm_place/log/munged.log" --seed-file="$slurm_place/munge.seed" \
    >"$slurm_place/log/munged.out" 2>&1 || slurm_refused "munged does not start"
  slurmctld -c -f "$SLURM_CONF" || slurm_refused "slurmctld does not start"
  slurm_epoch=$SECONDS
  slurmd -f "$SLURM_CONF" -N n0 || slurm_refused "slurmd does not start"
  for _ in $(seq 240); do
    if sinfo -h -o %T 2>/dev/null | grep -q idle; then return 0; fi
    sleep 0.5
  done
  slurm_refused "the Slurm node does not become idle"
}

slurm_refused() {
  tail -n 5 "$slurm_place"/log/* 2>/dev/null || true
  slurm_stop
  slurm_skip "$* here"
}

# Ends jobs first: the processes that hold a job's ranks outlive slurmd. Waits for each, so that nothing is left.
slurm_stop() {
  [ -n "${slurm_place:-}" ] || return 0
  if [ -s "$slurm_place/slurmctld.pid" ]; then
    scancel --user="$(id -un)" >/dev/null 2>&1 || true
    for try in $(seq 120); do
      [ -n "$(squeue -h 2>/dev/null)" ] || break
      # Ranks that don't listen to TERM (after a failed test) don't outlive the daemons.
      [ "$try" -lt 60 ] || scancel --signal=KILL --full --user="$(id -un)" >/dev/null 2>&1 || true
      sleep 0.5
    done
  fi
  for daemon in slurmd slurmctld munged; do
    pid=$(cat "$slurm_place/$daemon.pid" 2>/dev/null) || continue
    kill "$pid" 2>/dev/null || continue
    for _ in $(seq 100); do
      alive "$pid" || break
      sleep 0.1
    done
  done
  rm -rf "$slurm_place" "$slurm_shared"
  slurm_place=
}
