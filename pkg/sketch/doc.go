// Package sketch summarizes numbers so that their quantiles can be asked for later, and so that summaries of parts
// merge into exactly the summary of the whole. It is a DDSketch (Masson, Rim, Lee: "DDSketch: a fast and
// fully-mergeable quantile sketch with relative-error guarantees", VLDB 2019) on the bucket grid of OpenTelemetry
// exponential histograms and Prometheus native histograms, so that every hop and export is exact bucket for bucket.
//
// # In
//
// Finite float64 values, one at a time ([Sketch.Add]) or as other sketches ([Sketch.Merge], [Sketch.Decode],
// [FromExponential], [FromNative]). NaN and ±Inf are refused; the caller counts them.
//
// # Out
//
// Count, sum, min and max, exact; quantiles within a stated relative error; bytes; histograms of the two standards.
//
// # The grid
//
// At scale s the base is b = 2^(2^-s). Bucket i of the positive side holds (b^i, b^(i+1)], the upper bound included, so
// an exact power of two always is the upper bound of its bucket; the negative side mirrors it. That is bucket i of an
// OpenTelemetry exponential histogram of scale s and bucket i+1 of a Prometheus native histogram of schema s. A bound
// is the float64 nearest to its true value. They come from a table and not from math.Log, so every machine of every
// architecture agrees on the bucket of every value (sketches-go's logarithmic mapping puts powers of two from 1 upward
// one bucket too high, and the assembly behind math.Log differs between architectures).
//
// Scales run from [MinScale] to [MaxScale], the range of Prometheus schemas. Going from s to s-1 merges bucket pairs,
// i>>1, and gives exactly the sketch that direct insertion at s-1 would have given.
//
//	scale   4        5        6 (default)   7        8
//	alpha   2.166 %  1.083 %  0.5415 %      0.2708 % 0.1354 %
//
// # Promises
//
//   - While it has seen at most eight values ([ExactLimit]) a sketch holds the values themselves, sorted, and answers
//     exactly. The ninth moves them into buckets.
//   - From then on Quantile(q) is within alpha = (b-1)/(b+1) of the value whose rank is asked for, whatever the
//     distribution: |answer - x| <= alpha*|x|. A value of the zero region, |x| <= ZeroWidth or subnormal
//     (|x| < 2^-1022), is answered as 0 instead. A bucket answers with 2*b^i*b/(b+1), its harmonic midpoint, clamped to
//     [min, max]. Interpolation inside the bucket, as PromQL's histogram_quantile does it, is off by b-1 at worst,
//     about 2*alpha.
//   - At most 1,024 buckets ([MaxBins]) are kept, both sides and the zero bucket together. One more lowers the scale
//     until they fit; nothing but the resolution is lost, at either end.
//   - Order and grouping do not matter. However a multiset of values is split, added and merged, these come out bit for
//     bit the same: count, min, max, scale, exact values, every bucket, and therefore every quantile. The sum is a
//     float64 addition and its last bits may depend on the order, except that it is exact whenever all partial sums are
//     representable (for example up to 2^23 multiples of 2^-10 below 2^20), and that up to eight values are always
//     summed in ascending order. A sum beyond the range of float64 stays at ±[math.MaxFloat64]. A zero Sketch is the
//     identity of Merge.
//   - Merging sketches of different scales gives the coarser scale. Merging different zero widths gives the wider zero
//     region: buckets that lie wholly inside it become zeros. This is the one case where order can show: in the one
//     bucket that straddles the wider region's edge.
//   - Nothing is allocated in steady state: Reset keeps the memory of up to 256 buckets. 100 values take at most 1 KB.
//   - A Sketch decoded from a hostile peer holds every invariant of one built here. What bytes cannot prove is their
//     sum, which is only known to be finite.
//
// # Not promised
//
// A Sketch is not safe for concurrent use. It does not know time, units or names. Counts stop at 2^53 ([MaxCount]).
//
// # Bytes
//
// AppendBinary writes one canonical form: equal sketches give equal bytes, and Decode refuses any other spelling.
// Numbers are unsigned LEB128 varints as in encoding/binary. A float is the leading w bytes of its IEEE 754 big-endian
// form, w from 0 to 8 being the least that drops zero bytes only: 21.5 takes three bytes.
//
//	byte 0       1         the version
//	byte 1       B Z E 0 s s s s
//	             |   |   |   scale + 4; 15: none chosen yet (an empty zero Sketch)
//	             |   |   edge: the first bucket is that of min although |min| <= zero width (see Merge)
//	             |   zero width follows, because it is not the default 1e-6
//	             buckets (1) or exact values (0)
//	[8 bytes     zero width, IEEE 754 big-endian]
//
//	exact        nnnn wwww                 n values of w bytes each
//	             n * w bytes               ascending
//
//	buckets      vvvv wwww                 the sum has v bytes, min and max have w each
//	             sum, min, max             v + w + w bytes
//	             varint m                  1 to 1024 buckets
//	             varint count-1            of the first bucket, the one that min is in
//	             (m-1) * {                 ascending on the number line: negative, zero, positive
//	               varint (gap-1)<<1 | c   gap: distance to the bucket before (zero is one place)
//	               [varint count-2]        if c = 1; c = 0 means a count of 1
//	             }
//
// The place of zero on the line and the distance across it depend on the scale only; see grid.go. Nine readings of one
// thermometer take about 35 bytes.
package sketch
