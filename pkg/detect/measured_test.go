package detect

import (
	"math"
	"testing"
)

// goldenValue is the synthetic series that the figures of the measured detector were published with.
func goldenValue(i int) float64 {
	x := 20 + 5*math.Sin(2*math.Pi*float64(i)/288) + 0.5*float64((7919*i)%101-50)/50
	if i == 700 {
		x += 4
	}
	if i >= 900 {
		x += 3
	}
	if i >= 1000 && i < 1030 {
		x = 20
	}
	return x
}

func TestMeasuredGolden(t *testing.T) {
	golden := map[int][3]float64{ // score, smoothed, alert
		50: {1.483181, 1.895369, 0}, 51: {1.649177, 2.003137, 0}, 60: {1.537557, 2.441841, 0},
		175: {6.271145, 5.990182, 5.990182}, 288: {1.081537, 0.999099, 0},
		700: {41.974633, 23.210565, 23.210565}, 701: {27.662135, 17.326261, 0}, 702: {3.995881, 5.518168, 0},
		900: {22.205346, 12.406122, 12.406122}, 901: {8.988564, 6.181986, 0}, 905: {6.956102, 6.133194, 0},
		1000: {21.093887, 12.854515, 12.854515}, 1005: {0, 1.990580, 0}, 1199: {0, 0.131377, 0},
	}
	var d measured
	var sumS, sumO float64
	var fired []int
	for i := range 1200 {
		s := d.score(int64(300*i), goldenValue(i))
		z, o := d.alert(s)
		sumS, sumO = sumS+s, sumO+o
		if o >= measuredThreshold {
			fired = append(fired, i)
		}
		if want, ok := golden[i]; ok {
			near(t, "score", i, s, want[0])
			near(t, "smoothed", i, z, want[1])
			near(t, "alert", i, o, want[2])
		}
	}
	near(t, "sum of scores", 1200, sumS, 1061.752028)
	near(t, "sum of alerts", 1200, sumO, 123.272783)
	if len(fired) != 4 || fired[0] != 175 || fired[1] != 700 || fired[2] != 900 || fired[3] != 1000 {
		t.Errorf("fired at %v, want [175 700 900 1000]", fired)
	}
	goldenState(t, &d)
}

func goldenState(t *testing.T, d *measured) {
	x := &d.features[0]
	for _, f := range []struct {
		name      string
		got, want float64
	}{
		{"level", d.level, 26.633891},
		{"activity", d.activity, 0.501509},
		{"smooth", d.smooth, 0.131377},
		{"peak", d.peak, 4.740769},
		{"tripped", float64(d.tripped), 1001},
		{"upper cut", x.upper.cut, 27.735575},
		{"lower cut", x.lower.cut, -15.791760},
		{"upper excesses", float64(x.upper.count), 41},
		{"lower excesses", float64(x.lower.count), 41},
		{"upper mean excess", x.upper.mean, 0.579956},
		{"location", x.location, 20.814130},
		{"spread", x.spread, 3.180213},
		{"profile", float64(d.profile[0]), 22.593405},
		{"days", float64(d.days[0]), 30},
		{"residual's upper excesses", float64(d.features[4].upper.count), 128},
		{"residual's lower excesses", float64(d.features[4].lower.count), 26},
	} {
		near(t, f.name, 1199, f.got, f.want)
	}
}

func near(t *testing.T, name string, i int, got, want float64) {
	t.Helper()
	if math.Abs(got-want) > 1e-5 {
		t.Errorf("%s at %d is %.6f, want %.6f", name, i, got, want)
	}
}
