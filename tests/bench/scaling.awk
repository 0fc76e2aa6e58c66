# Weak scaling to 4,096 ranks from what one rank measured: lines of bench_step at one rank, several of each job. Every rank
# keeps its particles, so P grows with the ranks. A step on R ranks takes
#   its own work (as measured), and what the slowest of R ranks takes longer: normal, as far apart as the steps of one run
#   + the all-reduce of m bytes, as a reduce-scatter and an all-gather (Rabenseifner):
#       2 log2(R) latency + 2 (R − 1)/R m (ranks a node)/(node's bandwidth) + (R − 1)/R m (seconds to add a byte)
# The network: `latency` seconds a message, `bandwidth` bytes a second of a node, shared by its `cores` ranks where R exceeds them
# (inside a node: memory, `inside` bytes a second a rank); `add` seconds a byte.
function gauss() { return sqrt(-2 * log(1 - rand())) * cos(6.283185307179586 * rand()) }
function worst(R, spread,    i, trial, sum, most, x) {
  for (trial = 0; trial < 20; trial++) { most = 0; for (i = 0; i < R; i++) { x = gauss(); if (x > most) most = x } sum += most }
  return spread * sum / 20
}
function reduce(R, m) {
  if (R == 1) return 0
  return 2 * log(R) / log(2) * latency + (R - 1) / R * m * (2 / (R > cores ? bandwidth / cores : inside) + add)
}
{
  for (i = 1; i < NF; i += 2) field[$i] = $(i + 1)
  job = field["job"]
  if (field["ranks"] != 1) next
  if (!(job in count)) order[++jobs] = job
  k = ++count[job]; cpu[job, k] = field["cpu_ms"] / 1000
  apart[job, k] = 2 * field["cpu_spread"] / 100 / 1.349 * cpu[job, k] # the quartiles of a normal are 1.349 sigma apart
  bytes[job] = field["bytes"]; P[job] = field["P"]
}
END {
  srand(1)
  print "| job, particles a rank | message, KiB | ranks | own work, ms | waiting for the slowest, ms | all-reduce, ms | efficiency, network alone | with waiting |"
  print "|---|---|---|---|---|---|---|---|"
  for (o = 1; o <= jobs; o++) {
    job = order[o]; n = count[job]; mean = 0; spread = 0
    for (k = 1; k <= n; k++) { mean += cpu[job, k] / n; spread += apart[job, k] / n }
    for (R = 1; R <= 4096; R *= 2) {
      wait = R > 1 ? worst(R, spread) : 0; message = reduce(R, bytes[job]); network = mean / (mean + message); efficiency = mean / (mean + wait + message)
      print job, R, network, efficiency > points
      if (R == 1 || R == 16 || R == 128 || R == 1024 || R == 4096)
        printf "| %s, %d | %.1f | %d | %.3g | %.3g | %.3g | %.3f | %.2f |\n", job, P[job], bytes[job] / 1024, R, 1000 * mean, 1000 * wait, 1000 * message, network, efficiency
    }
  }
}
