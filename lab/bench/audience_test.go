package main

import (
	"encoding/json"
	"slices"
	"testing"
	"time"
)

func TestAudience(t *testing.T) {
	a := audience{shape: shape{Devices: 1_000}, Size: 10 * time.Second, Lateness: 1500 * time.Millisecond, Followed: 2}
	var policy struct {
		Views []struct {
			Name, Size string
			Lateness   string `json:"allowed_lateness"`
		}
	}
	if err := json.Unmarshal([]byte(a.policy()), &policy); err != nil || len(policy.Views) != 2 {
		t.Fatalf("policy %s: %v", a.policy(), err)
	}
	for i, name := range []string{"device", "fleet"} {
		if v := policy.Views[i]; v.Name != name || v.Size != "10s" || v.Lateness != "1500ms" {
			t.Errorf("view %+v, wanted %s with windows of 10 s and 1.5 s of lateness", v, name)
		}
	}
	if got := a.regional(); !slices.EqualFunc(got, [][]string{{"--device", "sbench-00001"}, {"--device", "sbench-00501"}}, slices.Equal) {
		t.Errorf("users of two devices: %v", got)
	}
	a.Followed = a.Devices
	if got := a.regional(); !slices.EqualFunc(got, [][]string{{"--view", "device"}}, slices.Equal) {
		t.Errorf("users of all devices: %v", got)
	}
}

// TestAudiencesSeeSomething: each row lasts long enough for windows to become
// final, and has no more users than a console lets follow.
func TestAudiencesSeeSomething(t *testing.T) {
	const followers = 16
	for _, a := range audiences {
		worst := playing{from: after(0.001), to: after(0).Add(a.Long)}
		if n := worst.windows(a.Size, a.Lateness); n < 3 {
			t.Errorf("%s: %d final windows, wanted three or more", a.Name, n)
		}
		if n := 2*len(a.regional()) + 2; n > followers {
			t.Errorf("%s: %d users follow, %d may", a.Name, n, followers)
		}
	}
}
