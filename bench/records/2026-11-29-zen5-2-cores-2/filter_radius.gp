# SPDX-License-Identifier: Apache-2.0
# Drawn from filter_radius.csv. To restyle it, edit this file and run gnuplot on it where the CSV is.
set encoding utf8
set datafile separator comma
set datafile missing NaN
set terminal svg enhanced size 720,900 font 'sans-serif,12' background '#FFFFFF'
set output 'filter_radius.svg'
set multiplot layout 3,2 margins 0.09,0.97,0.10,0.90 spacing 0.11,0.08 title "Nanoseconds a pixel against the radius, 1920 × 1080, one core" font ',15'
set logscale xy
set xrange [0.9:35]
set xtics (1, 2, 3, 5, 7, 10, 15, 20, 31) textcolor rgb '#666666'
set ytics textcolor rgb '#666666'
set format y '%g'
set border 3 linecolor rgb '#666666'
set tics nomirror
set grid linecolor rgb '#E4E4E4' linewidth 1
unset key
set label 1 'blue: Speedwell, grey: OpenCV; solid: u8c1, dashed: f32c1; across: the radius in pixels' at screen 0.5,0.03 center font ',12' textcolor rgb '#222222'
ours = '#0072B2'
theirs = '#8A8A8A'
do for [filter in 'gaussian_blur box_blur median_blur dilate convolve bilateral_filter'] {
  set title filter noenhanced font ',14'
  plot 'filter_radius.csv' using (strcol(1) eq filter && strcol(2) eq 'u8c1' ? $3 : NaN):4 with linespoints linecolor rgb ours lw 1.8 dt 1 pt 7 ps 0.5, \
    '' using (strcol(1) eq filter && strcol(2) eq 'f32c1' ? $3 : NaN):4 with linespoints linecolor rgb ours lw 1.8 dt 2 pt 6 ps 0.5, \
    '' using (strcol(1) eq filter && strcol(2) eq 'u8c1' ? $3 : NaN):5 with linespoints linecolor rgb theirs lw 1.8 dt 1 pt 7 ps 0.5, \
    '' using (strcol(1) eq filter && strcol(2) eq 'f32c1' ? $3 : NaN):5 with linespoints linecolor rgb theirs lw 1.8 dt 2 pt 6 ps 0.5
  unset label 1
}
unset multiplot
