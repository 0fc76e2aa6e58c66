# Reads `data` (lines of bench_cost) and writes `picture`.
set terminal pngcairo size 1200,860 font "sans,10"
set output picture
set multiplot layout 2,2 title "The field: processor time a particle, one core (lines), and its products at SGEMM's rate (dashed)"
set logscale xy
set grid
set key top left
set ylabel "microseconds a particle"
rows(axis, column) = sprintf("< awk '$1 == \"%s\" { print $2, $%d }' %s", axis, column, data)
set xlabel "training points n (M = 8)"
plot rows("n-d2", 3) with linespoints lc 1 pt 7 title "d = 2", rows("n-d2", 4) with lines lc 1 dt 2 notitle, \
     rows("n-d100", 3) with linespoints lc 2 pt 7 title "d = 100", rows("n-d100", 4) with lines lc 2 dt 2 notitle
set key top right
set xlabel "particles P (n = 1000, M = 8)"
plot rows("P-d2", 3) with linespoints lc 1 pt 7 title "d = 2", rows("P-d2", 4) with lines lc 1 dt 2 notitle, \
     rows("P-d100", 3) with linespoints lc 2 pt 7 title "d = 100", rows("P-d100", 4) with lines lc 2 dt 2 notitle
set key top left
set xlabel "dimensions d (n = 1000, M = 8)"
plot rows("d", 3) with linespoints lc 3 pt 7 title "auto", rows("d", 4) with lines lc 3 dt 2 title "its products"
set xlabel "draws M (n = 1000)"
plot rows("M-d2", 3) with linespoints lc 1 pt 7 title "d = 2", rows("M-d2", 4) with lines lc 1 dt 2 notitle, \
     rows("M-d100", 3) with linespoints lc 2 pt 7 title "d = 100", rows("M-d100", 4) with lines lc 2 dt 2 notitle
unset multiplot
