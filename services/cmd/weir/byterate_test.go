package main

import "testing"

func TestByteRate(t *testing.T) {
	for text, want := range map[string]byteRate{
		"0": 0, "64000": 64000, "128KB": 128_000, "128 kb": 128_000, "2MB": 2_000_000, "1GiB": 1 << 30, "1.5KiB": 1536, "7B": 7,
	} {
		var r byteRate
		if err := r.Set(text); err != nil || r != want {
			t.Errorf("%q is %d, %v; want %d", text, r, err, want)
		}
		var again byteRate
		if err := again.Set(r.String()); r != 0 && (err != nil || again != r) {
			t.Errorf("%q written as %q is %d, %v", text, r.String(), again, err)
		}
	}
	for _, text := range []string{"", "x", "-1", "1TB", "NaN", "1e30", "12 KB MB"} {
		if err := new(byteRate).Set(text); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
}
