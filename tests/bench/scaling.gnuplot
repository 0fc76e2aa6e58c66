# Reads `data` (job, ranks, efficiency by the network alone and with waiting) and writes `picture`.
set terminal pngcairo size 900,560 font "sans,10"
set output picture
set title "Weak scaling, modelled from measured steps and message sizes"
set logscale x 2
set yrange [0:1.05]
set grid
set key bottom left
set xlabel "ranks"
set ylabel "efficiency"
rows(job) = sprintf("< awk '$1 == \"%s\"' %s", job, data)
jobs = system("cut -d' ' -f1 " . data . " | uniq")
plot 1 with lines lc 0 dt 3 title "limit", \
     for [i = 1:words(jobs)] rows(word(jobs, i)) using 2:3 with lines lc i dt 2 title word(jobs, i) . ", network alone", \
     for [i = 1:words(jobs)] rows(word(jobs, i)) using 2:4 with linespoints lc i pt 7 title word(jobs, i) . ", with waiting"
