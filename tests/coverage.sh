#!/usr/bin/env bash
# tests/coverage.sh FILE.info SRC: lines and branches that were reached, by folder of SRC, as a Markdown table. A branch
# of a line that was never reached counts as missed.
set -euo pipefail
awk -v src="$2/" '
  function row(name, l, r, b, t) {
    printf "| %s | %d of %d | %.1f %% | %d of %d | %.1f %% |\n", name, r, l, l ? 100 * r / l : 0, t, b, b ? 100 * t / b : 0
  }
  /^SF:/ {
    floor = substr($0, 4)
    floor = index(floor, src) == 1 ? substr(floor, length(src) + 1) : "other"
    sub(/\/.*/, "", floor)
    if (!(floor in lines)) order[++floors] = floor
  }
  /^LF:/ { lines[floor] += substr($0, 4) }
  /^LH:/ { reached[floor] += substr($0, 4) }
  /^BRF:/ { branches[floor] += substr($0, 5) }
  /^BRH:/ { taken[floor] += substr($0, 5) }
  END {
    print "| floor | lines | | branches | |"
    print "|---|---|---|---|---|"
    for (i = 1; i <= floors; i++) {
      f = order[i]
      row(f, lines[f], reached[f], branches[f], taken[f])
      l += lines[f]; r += reached[f]; b += branches[f]; t += taken[f]
    }
    row("all", l, r, b, t)
  }' "$1"
