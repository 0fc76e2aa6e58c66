# Fig. 10's picture from its table `csv`, at the largest `n` and `particles`: distance to held-out data against the number of particles, and of training points.
set datafile separator ','
set datafile missing '-'
set multiplot layout 1,2
set logscale xy
set grid lc rgb '#dddddd'
set key top right
set ylabel 'sliced Wasserstein-2 to held-out images'
colour(method) = method eq 'mmsold' ? '#0072b2' : '#d55e00'
name(method) = method eq 'mmsold' ? 'MM-SOLD' : 'kinetic Langevin'
set title 'n = '.n.' training images'
set xlabel 'particles P'
plot for [method in 'mmsold mmsold_kinetic'] csv using (strcol(1) eq method && strcol(2) eq n ? $3 : NaN):4:5 \
  with yerrorlines lc rgb colour(method) pt 7 title name(method)
set title 'P = '.particles.' particles'
set xlabel 'training images n'
plot for [method in 'mmsold mmsold_kinetic'] csv using (strcol(1) eq method && strcol(3) eq particles ? $2 : NaN):4:5 \
  with yerrorlines lc rgb colour(method) pt 7 title name(method)
unset multiplot
