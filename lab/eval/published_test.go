package main

import (
	"math"
	"os"
	"testing"

	"weir/lab/eval/corpus"
	"weir/lab/eval/nab"
	"weir/pkg/detect"
)

// half is the development half of NAB.
func half(t *testing.T) []corpus.Series {
	t.Helper()
	all, err := corpus.Read(os.DirFS("../testdata/nab"))
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func kindNamed(t *testing.T, name string) detect.Kind {
	t.Helper()
	kinds, err := chooseKinds(name)
	if err != nil {
		t.Fatal(err)
	}
	return kinds[0]
}

// TestMeasuredDetectorSeriesBySeries checks reader, detector and scorer against a table that another program, in
// another language, gave for the measured detector at 5.94.
func TestMeasuredDetectorSeriesBySeries(t *testing.T) {
	cases := []struct {
		name                                 string
		rows, windows, hit, falseRows, fired int
		greatest                             float64 // Alert
		at                                   int     // its row, −1: none
		sum                                  float64 // of all Alerts
	}{
		{"artificialNoAnomaly/art_daily_small_noise.csv", 4032, 0, 0, 0, 1, 12.282, 108, 197.54},
		{"artificialNoAnomaly/art_flatline.csv", 4032, 0, 0, 0, 0, 0.000, -1, 0.00},
		{"artificialWithAnomaly/art_daily_flatmiddle.csv", 4032, 1, 1, 1, 4, 16.207, 108, 208.30},
		{"artificialWithAnomaly/art_daily_jumpsdown.csv", 4032, 1, 1, 1, 3, 25.955, 108, 195.48},
		{"artificialWithAnomaly/art_daily_jumpsup.csv", 4032, 1, 1, 1, 3, 17.877, 2988, 191.94},
		{"realAWSCloudwatch/ec2_cpu_utilization_53ea38.csv", 4032, 2, 2, 0, 7, 15.271, 156, 213.70},
		{"realAWSCloudwatch/ec2_cpu_utilization_5f5533.csv", 4032, 2, 2, 1, 6, 19.033, 1271, 166.48},
		{"realAWSCloudwatch/ec2_cpu_utilization_77c1ca.csv", 4032, 1, 1, 1, 3, 8.997, 5, 201.88},
		{"realAWSCloudwatch/ec2_cpu_utilization_825cc2.csv", 4032, 1, 1, 2, 7, 23.470, 1626, 194.83},
		{"realAWSCloudwatch/ec2_cpu_utilization_fe7f93.csv", 4032, 3, 2, 4, 8, 16.427, 66, 372.65},
		{"realAWSCloudwatch/ec2_disk_write_bytes_1ef3de.csv", 4730, 1, 1, 16, 20, 35.032, 572, 326.76},
		{"realAWSCloudwatch/ec2_disk_write_bytes_c0d644.csv", 4032, 3, 2, 3, 9, 10.453, 1892, 291.21},
		{"realAWSCloudwatch/grok_asg_anomaly.csv", 4621, 3, 3, 13, 20, 38.869, 224, 513.86},
		{"realAWSCloudwatch/rds_cpu_utilization_cc0c53.csv", 4032, 2, 2, 3, 7, 41.049, 3080, 234.37},
		{"realAdExchange/exchange-3_cpc_results.csv", 1538, 3, 3, 0, 6, 16.783, 173, 101.30},
		{"realAdExchange/exchange-3_cpm_results.csv", 1538, 1, 1, 1, 5, 27.217, 1121, 83.43},
		{"realAdExchange/exchange-4_cpm_results.csv", 1643, 4, 3, 0, 6, 24.279, 367, 144.31},
		{"realKnownCause/ambient_temperature_system_failure.csv", 7267, 2, 2, 4, 9, 10.863, 780, 478.24},
		{"realKnownCause/ec2_request_latency_system_failure.csv", 4032, 3, 3, 5, 11, 22.160, 2081, 255.53},
		{"realKnownCause/nyc_taxi.csv", 10320, 5, 3, 2, 6, 23.324, 5954, 654.77},
		{"realKnownCause/rogue_agent_key_hold.csv", 1882, 2, 1, 2, 6, 25.904, 152, 141.17},
		{"realTraffic/occupancy_6005.csv", 2380, 1, 1, 2, 6, 9.809, 1764, 138.15},
		{"realTraffic/speed_6005.csv", 2500, 1, 1, 3, 5, 16.306, 2386, 141.03},
		{"realTraffic/speed_t4013.csv", 2495, 2, 2, 0, 5, 9.651, 2144, 154.13},
		{"realTweets/Twitter_volume_AAPL.csv", 15902, 4, 4, 10, 24, 29.662, 1432, 732.05},
		{"realTweets/Twitter_volume_AMZN.csv", 15831, 4, 4, 4, 13, 18.705, 215, 723.02},
		{"realTweets/Twitter_volume_CVS.csv", 15853, 3, 3, 7, 13, 26.908, 231, 830.09},
		{"realTweets/Twitter_volume_IBM.csv", 15893, 2, 2, 15, 20, 14.740, 87, 806.85},
		{"realTweets/Twitter_volume_PFE.csv", 15858, 4, 3, 4, 7, 6.810, 5412, 594.81},
	}
	series := half(t)
	if len(series) != len(cases) {
		t.Fatalf("%d series, wanted %d", len(series), len(cases))
	}
	for _, s := range series {
		for _, c := range cases {
			if c.name != s.Name {
				continue
			}
			d, err := newDetector(kindNamed(t, "measured"))
			if err != nil {
				t.Fatal(err)
			}
			played := verdicts(d, s, len(s.Times))
			alerts, greatest, at, sum, fired := alertsOf(played), 0.0, -1, 0.0, 0
			for i, a := range alerts {
				sum += a
				if a > greatest {
					greatest, at = a, i
				}
				if a >= 5.94 {
					fired++
				}
			}
			sheet, err := nab.NewSheet([]nab.File{s.File()}, [][]float64{alerts})
			if err != nil {
				t.Fatal(err)
			}
			tally := nab.Sum(sheet.At(nab.Profiles()[0], 5.94))
			if len(alerts) != c.rows || tally.Windows != c.windows || tally.Hit != c.hit || tally.FalseRows != c.falseRows || fired != c.fired {
				t.Errorf("%s: %d rows, %d of %d windows, %d false, %d fired; wanted %+v", s.Name, len(alerts), tally.Hit, tally.Windows, tally.FalseRows, fired, c)
			}
			if math.Abs(greatest-c.greatest) > 6e-4 || at != c.at || math.Abs(sum-c.sum) > 6e-3 {
				t.Errorf("%s: greatest %.4f at %d, sum %.3f; wanted %+v", s.Name, greatest, at, sum, c)
			}
		}
	}
}

// TestPublishedRanking checks the library's baselines, at their best thresholds and as shipped, against published figures.
func TestPublishedRanking(t *testing.T) {
	cases := []struct {
		name          string
		best, shipped [3]float64
	}{
		{"measured", [3]float64{73.65, 66.15, 78.56}, [3]float64{73.39, 64.71, 78.50}},
		{"founding", [3]float64{21.50, 4.35, 36.38}, [3]float64{-420.48, -935.52, -248.06}},
		{"founding-ewma", [3]float64{math.NaN(), math.NaN(), math.NaN()}, [3]float64{-296.09, -685.46, -165.14}},
		{"null", [3]float64{}, [3]float64{}},
	}
	series := half(t)
	for _, c := range cases {
		s, err := rankOne(kindNamed(t, c.name), series, make([]int, len(series)), 1)
		if err != nil {
			t.Fatal(err)
		}
		for i, p := range s.Profiles {
			if math.Abs(p.Best.Score-c.best[i]) > 0.01 || math.Abs(p.Shipped.Score-c.shipped[i]) > 0.01 {
				t.Errorf("%s, profile %d: best %.3f, shipped %.3f, wanted %.2f and %.2f", c.name, i, p.Best.Score, p.Shipped.Score, c.best[i], c.shipped[i])
			}
			if p.Shipped.Low > p.Shipped.Score || p.Shipped.High < p.Shipped.Score {
				t.Errorf("%s, profile %d: %.2f is not within %.2f and %.2f", c.name, i, p.Shipped.Score, p.Shipped.Low, p.Shipped.High)
			}
		}
	}
}
