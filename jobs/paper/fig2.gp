# Fig. 2's picture from its table `csv`: distance to the target against the smoothing, a panel for each of `sources`, for all
# `methods` and `draws`, of which lm has the last alone; standard errors where seeds were repeated.
set datafile separator ','
set datafile missing NaN # rows of other lines don't break a line
set multiplot layout 1,words(sources)
set yrange [0:*]
set grid lc rgb '#dddddd'
set key top left
set xlabel 'smoothing σ'
set ylabel 'sliced Wasserstein-2 to the target'
set xrange [-0.005:0.205]
colour(method) = method eq 'exponential' ? '#0072b2' : method eq 'lm' ? '#009e73' : '#d55e00'
name(method) = method eq 'cfdm' ? 'σ-CFDM' : 'MM-SOLD, '.method
dash(i) = words(draws) + 1 - i
at(source, method, m) = strcol(1) eq source && strcol(2) eq method && strcol(4) eq m ? column(5) : NaN
error(k) = strcol(k) eq '-' ? 0 : column(k)
do for [source in sources] {
  set title source
  plot for [method in methods] for [i = (method eq 'lm' ? words(draws) : 1):words(draws)] \
    csv using 3:(at(source, method, word(draws, i))) \
    with linespoints lc rgb colour(method) pt (i == words(draws) ? 7 : 3 + i) dt dash(i) \
    title name(method).', M = '.word(draws, i), \
    for [method in methods] for [i = (method eq 'lm' ? words(draws) : 1):words(draws)] \
    csv using 3:(at(source, method, word(draws, i)) - error(6)):(0):(2 * error(6)) \
    with vectors nohead lc rgb colour(method) lw 2 dt 1 notitle
}
unset multiplot
