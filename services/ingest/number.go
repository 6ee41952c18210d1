package ingest

import (
	"math"
	"strconv"
	"unsafe"
)

// number is a number as a device wrote it: the nearest float64, and the exact
// decimal where there is one, because seq and ts need more than 53 bits.
type number struct {
	float float64 // nearest; infinite when out of range
	exact bool    // the value is ±mant × 10^exp
	neg   bool
	mant  uint64
	exp   int
}

// pow10 holds the powers of ten that a float64 represents exactly.
var pow10 = [...]float64{
	1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
	1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
}

func fromInt(v int64) number {
	if v < 0 {
		return number{float: float64(v), exact: true, neg: true, mant: uint64(-v)}
	}
	return fromUint(uint64(v))
}

func fromUint(v uint64) number { return number{float: float64(v), exact: true, mant: v} }

func fromFloat(v float64) number { return number{float: v} }

// scanNumber reads a JSON number at the start of b and says how many bytes it
// takes; 0 means that there is none. With zeros, leading zeros are allowed.
func scanNumber(b []byte, zeros bool) (v number, n int) {
	i := 0
	if i < len(b) && b[i] == '-' {
		v.neg = true
		i++
	}
	first := i
	digits := 0 // significant ones
	for ; i < len(b) && isDigit(b[i]); i++ {
		v.mant, digits = v.mant*10+uint64(b[i]-'0'), digits+significant(v.mant, b[i])
	}
	if i == first || !zeros && b[first] == '0' && i > first+1 {
		return v, 0
	}
	if i < len(b) && b[i] == '.' {
		point := i + 1
		for i = point; i < len(b) && isDigit(b[i]); i++ {
			v.mant, digits = v.mant*10+uint64(b[i]-'0'), digits+significant(v.mant, b[i])
		}
		if i == point {
			return v, 0
		}
		v.exp = point - i
	}
	if i < len(b) && b[i]|0x20 == 'e' {
		e, size := scanExponent(b[i+1:])
		if size == 0 {
			return v, 0
		}
		v.exp += e
		i += 1 + size
	}
	v.exact = digits <= 19
	v.float = v.nearest(b[:i])
	return v, i
}

// significant is 1 for a digit that counts against the 19 that fit a uint64:
// leading zeros do not. mant is the mantissa before the digit.
func significant(mant uint64, digit byte) int {
	if mant == 0 && digit == '0' {
		return 0
	}
	return 1
}

// scanExponent reads what follows an e. Exponents beyond 9999 stay there: the
// value is 0 or out of range anyway.
func scanExponent(b []byte) (e, n int) {
	i := 0
	if i < len(b) && (b[i] == '+' || b[i] == '-') {
		i++
	}
	first := i
	for ; i < len(b) && isDigit(b[i]); i++ {
		e = min(e*10+int(b[i]-'0'), 9999)
	}
	if i == first {
		return 0, 0
	}
	if b[0] == '-' {
		e = -e
	}
	return e, i
}

// nearest is the float64 nearest to the number, of which text is the source.
// Up to 2^53 × 10^±22 one exact operation rounds correctly (Clinger, "How to
// read floating point numbers accurately", 1990).
func (v *number) nearest(text []byte) float64 {
	f := float64(v.mant)
	switch {
	case !v.exact || v.mant > 1<<53 || v.exp < -22 || v.exp > 22:
		f, _ = strconv.ParseFloat(alias(text), 64) // infinite beyond the range
		return f
	case v.exp < 0:
		f /= pow10[-v.exp]
	default:
		f *= pow10[v.exp]
	}
	if v.neg {
		return -f
	}
	return f
}

// finite reports whether the number is a value that a record may have.
func (v *number) finite() bool { return !math.IsNaN(v.float) && !math.IsInf(v.float, 0) }

// uint is the number as an integer from 0 to 2^63-1, also where it was written
// with a fraction of zero or an exponent.
func (v *number) uint() (uint64, bool) {
	if v.exact && v.exp == 0 {
		return v.mant, v.mant <= math.MaxInt64 && (!v.neg || v.mant == 0)
	}
	f := v.float
	return uint64(f), f >= 0 && f <= 1<<53 && f == math.Trunc(f)
}

// text is the number as decimal text if it is an integer.
func (v *number) text() (string, bool) {
	if !v.exact || v.exp != 0 {
		return "", false
	}
	s := strconv.FormatUint(v.mant, 10)
	if v.neg {
		s = "-" + s
	}
	return s, true
}

func isDigit(c byte) bool { return c-'0' <= 9 }

// alias makes a string of bytes without copying them; it is good as long as
// they do not change.
func alias(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// appendText appends the number as JSON would show it.
func (v *number) appendText(b []byte) []byte {
	if s, ok := v.text(); ok {
		return append(b, s...)
	}
	return strconv.AppendFloat(b, v.float, 'g', -1, 64)
}
