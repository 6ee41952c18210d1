package detect

import "math"

// eigen makes the symmetric n×n matrix a diagonal: its eigenvalues, with the eigenvectors in the columns of v. It is
// Jacobi's method in cyclic order (Golub and Van Loan, 8.5).
func eigen(a, v *[MaxChannels][MaxChannels]float64, n int) {
	for i := range n {
		for k := range n {
			v[i][k] = 0
		}
		v[i][i] = 1
	}
	for range 12 { // sweeps; it converges quadratically
		off := 0.0
		for p := range n {
			for q := p + 1; q < n; q++ {
				off += a[p][q] * a[p][q]
				rotate(a, v, n, p, q)
			}
		}
		if off < 1e-22 {
			return
		}
	}
}

// rotate makes a[p][q] zero.
func rotate(a, v *[MaxChannels][MaxChannels]float64, n, p, q int) {
	if math.Abs(a[p][q]) < 1e-150 {
		return
	}
	tau := (a[q][q] - a[p][p]) / (2 * a[p][q])
	t := math.Copysign(1, tau) / (math.Abs(tau) + math.Sqrt(1+tau*tau))
	c := 1 / math.Sqrt(1+t*t)
	s := t * c
	for k := range n {
		akp, akq := a[k][p], a[k][q]
		a[k][p], a[k][q] = c*akp-s*akq, s*akp+c*akq
	}
	for k := range n {
		apk, aqk := a[p][k], a[q][k]
		a[p][k], a[q][k] = c*apk-s*aqk, s*apk+c*aqk
		vkp, vkq := v[k][p], v[k][q]
		v[k][p], v[k][q] = c*vkp-s*vkq, s*vkp+c*vkq
	}
}
