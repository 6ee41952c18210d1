// Package nab scores detectors the way the Numenta Anomaly Benchmark does (github.com/numenta/NAB, "Evaluating
// real-time anomaly detection algorithms", Lavin and Ahmad, arXiv 1510.03336): early detections within a labeled
// window earn, rows that fire outside cost, and one number per profile of weights comes out.
//
// In: per file the number of its rows, its windows as row numbers, and one score per row. Out: tallies, the best
// threshold by NAB's own sweep, and their spread: a bootstrap over files and thresholds transferred between halves.
//
// Promised: the figures of NAB's own program to two decimals, and the same result for the same seed. No input or
// output is done here, and nothing is random but what the caller passes in.
//
// Limits: it counts rows, not findings, so it rewards detectors that fall silent after a hit; and a normalized
// score looks like a percentage but has no lower bound.
package nab
