// Package vus computes VUS-PR, the volume under the surface of precision over recall and a tolerance (Paparrizos et
// al., "Volume Under the Surface", VLDB 2022), in the variant in which TSB-AD (NeurIPS 2024) publishes its rankings.
//
// In: scores, labeled windows, and the greatest tolerance in rows. Out: a number from 0 to 1, whatever the threshold.
//
// Promised: 250 thresholds at even ranks of the scores and all tolerances from 0 to the greatest, as there. Scores may
// have any scale.
//
// Limits: it judges rows, on the whole series, and knows neither a budget nor delays.
package vus
