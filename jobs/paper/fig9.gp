# Fig. 9's picture from its table `csv`: distance to the target against the number of steps, a line for each step size
# of `sizes`.
set datafile separator ','
set datafile missing '-'
set multiplot layout 1,2
set logscale x
set grid lc rgb '#dddddd'
set key outside right
set xlabel 'steps T'
set ylabel 'sliced Wasserstein-2 to the target'
set xrange [0.8:650]
array colours[7] = ['#000000', '#e69f00', '#56b4e9', '#009e73', '#f0e442', '#0072b2', '#d55e00']
do for [scheme in 'lm exponential'] {
  set title scheme
  plot for [i = 1:words(sizes)] csv using (strcol(1) eq scheme && strcol(2) eq word(sizes, i) ? $3 : NaN):4:5 \
    with yerrorlines lc rgb colours[(i - 1) % 7 + 1] pt 7 ps 0.7 title 'h = '.word(sizes, i)
}
unset multiplot
