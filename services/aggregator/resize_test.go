package aggregator

import (
	"bytes"
	"testing"
	"time"

	"weir/schemas"
	"weir/services/internal/fold"
)

// sized reads a document that is nothing but the size of the windows.
func sized(document []byte) (*Settings, error) {
	s := DefaultSettings()
	d, err := time.ParseDuration(string(document))
	for i := range s.Views {
		s.Views[i].Spec.Size, s.Views[i].Spec.Lateness = int64(d), 2*int64(d)
	}
	return s, err
}

// TestResizeLosesNothingAndRetires: windows change from 10 s to 2 s at a
// boundary. No window mixes the two, no record is lost, the old document is
// forgotten when its windows are final, and a checkpoint at any point goes on
// the same.
func TestResizeLosesNothingAndRetires(t *testing.T) {
	s := &script{}
	start := int64(1_760_000_000_000 * ms)
	change := start + 60_000*ms
	n := uint64(0)
	for at := start; at < start+200_000*ms; at += 500 * ms {
		if at == start+20_000*ms {
			s.b.Frame().Config = &schemas.Config{Revision: 2, From: change, Document: []byte("2s")}
		}
		if at < start+120_000*ms {
			s.reading("d1", n, at, at, schemas.Value{Metric: "t", Value: 1})
			n++
		}
		s.cut(at)
	}
	whole := play(t, NewFold("a001", sized), s.frames, 0, &position{})
	for cut := 0; cut <= len(s.frames); cut += 25 {
		f, at := NewFold("a001", sized), &position{}
		got := play(t, f, s.frames[:cut], 0, at)
		g := NewFold("a001", sized)
		if err := g.Restore(f.Append(nil)); err != nil {
			t.Fatalf("checkpoint after %d: %v", cut, err)
		}
		got = append(got, play(t, g, s.frames, cut, at)...)
		if !bytes.Equal(bytes.Join(got, nil), bytes.Join(whole, nil)) {
			t.Fatalf("commits differ after a checkpoint at %d", cut)
		}
		if len(g.generations) != 1 || g.revision() != 2 {
			t.Errorf("%d generations at the end, revision %d", len(g.generations), g.revision())
		}
	}
	checkSizes(t, whole, change, n)
}

func checkSizes(t *testing.T, commits [][]byte, change int64, n uint64) {
	t.Helper()
	type key struct {
		view       string
		start, end int64
		first      uint64
	}
	latest := map[key]uint64{}
	for _, b := range commits {
		c, err := new(schemas.CommitDecoder).Decode(b, schemas.WithAll)
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range c.Windows {
			want := int64(10e9)
			if w.Start >= change {
				want = 2e9
			}
			if w.End-w.Start != want {
				t.Errorf("%s window of %d s at %d", w.View, (w.End-w.Start)/1e9, w.Start)
			}
			latest[key{w.View, w.Start, w.End, w.FirstN}] = w.Count
		}
	}
	counts := map[string]uint64{}
	for k, c := range latest {
		counts[k.view] += c
	}
	if counts["device"] != n || counts["fleet"] != n {
		t.Errorf("windows hold %v, want %d each", counts, n)
	}
}

var _ fold.Core = (*Fold)(nil)
