# A Slurm of one machine, for tests: slurm_start FOLDER starts munged, slurmctld and slurmd there and
# exports SLURM_CONF; slurm_stop ends them by their pid files. Needs root (returns 77 where it may not).

slurm_start() {
  slurm_place=$1
  [ "$(id -u)" -eq 0 ] || { echo "skipped: starting Slurm's daemons needs root"; return 77; }
  for tool in munged slurmctld slurmd sbatch; do
    command -v $tool > /dev/null || { echo "skipped: $tool is not installed (slurm-wlm, munge)"; return 77; }
  done
  mkdir -p "$slurm_place/state" "$slurm_place/spool-n0" "$slurm_place/log"
  if ! pgrep -x munged > /dev/null; then
    mkdir -p /run/munge && chown munge: /run/munge
    [ -s /etc/munge/munge.key ] || mungekey --create 2> /dev/null || true
    runuser -u munge -- munged || { echo "skipped: munged does not start here"; return 77; }
    slurm_started_munge=yes
  fi
  cat > "$slurm_place/slurm.conf" <<CONF
ClusterName=test
SlurmctldHost=localhost
AuthType=auth/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
MpiDefault=pmix
ReturnToService=2
SlurmUser=root
SlurmdUser=root
SlurmctldPort=16817
SlurmdPort=16820
StateSaveLocation=$slurm_place/state
SlurmdSpoolDir=$slurm_place/spool-%n
SlurmctldPidFile=$slurm_place/slurmctld.pid
SlurmdPidFile=$slurm_place/slurmd-%n.pid
SlurmctldLogFile=$slurm_place/log/slurmctld.log
SlurmdLogFile=$slurm_place/log/slurmd-%n.log
KillWait=5
MinJobAge=300
JobRequeue=1
NodeName=n0 NodeHostname=localhost NodeAddr=127.0.0.1 Port=16820 CPUs=2 Sockets=1 CoresPerSocket=2 ThreadsPerCore=1 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=60 State=UP
CONF
  export SLURM_CONF="$slurm_place/slurm.conf"
  slurmctld -c -f "$SLURM_CONF" || { echo "skipped: slurmctld does not start here"; slurm_stop; return 77; }
  slurmd -f "$SLURM_CONF" -N n0 || { echo "skipped: slurmd does not start here"; slurm_stop; return 77; }
  for attempt in $(seq 60); do
    if sinfo -h -o %T 2> /dev/null | grep -q idle; then return 0; fi
    sleep 0.5
  done
  echo "skipped: the Slurm node does not become idle here"
  tail -5 "$slurm_place"/log/*.log
  slurm_stop
  return 77
}

slurm_stop() {
  scancel -u "$(id -un)" > /dev/null 2>&1 || true
  for file in "$slurm_place"/slurmd-n0.pid "$slurm_place"/slurmctld.pid; do
    if [ -s "$file" ]; then kill "$(cat "$file")" 2> /dev/null || true; fi
  done
  [ "${slurm_started_munge:-no}" = no ] || pkill -x munged || true
}
