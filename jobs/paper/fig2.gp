# Fig. 2's picture from its table `csv`: distance to the target against the smoothing, a panel for each data set.
set datafile separator ','
set datafile missing '-'
set multiplot layout 1,2
set logscale y
set grid lc rgb '#dddddd'
set key top left
set xlabel 'smoothing σ'
set ylabel 'sliced Wasserstein-2 to the target'
set xrange [-0.005:0.205]
colour(method) = method eq 'exponential' ? '#0072b2' : method eq 'lm' ? '#009e73' : '#d55e00'
name(method) = method eq 'cfdm' ? 'σ-CFDM' : 'MM-SOLD, '.method
do for [source in 'checkerboard spirals'] {
  set title source
  plot for [method in 'exponential lm cfdm'] for [m in '2 4 8'] csv \
    using 3:(strcol(1) eq source && strcol(2) eq method && strcol(4) eq m ? $5 : NaN) with linespoints \
    lc rgb colour(method) pt (m eq '8' ? 7 : m eq '4' ? 6 : 4) dt (m eq '8' ? 1 : m eq '4' ? 2 : 3) \
    title (method eq 'lm' && m ne '8' ? '' : name(method).', M = '.m)
}
unset multiplot
