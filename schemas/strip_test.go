package schemas

import (
	"testing"
)

// TestStrip: what stays at its tier goes, the rest is as it was.
func TestStrip(t *testing.T) {
	c := sampleCommit()
	var enc CommitEncoder
	var s Strip
	got, head, err := s.Append(nil, enc.Append(nil, c))
	if err != nil {
		t.Fatal(err)
	}
	want := *c
	want.Local, want.Early, want.Config = nil, nil, nil
	if string(got) != string(enc.Append(nil, &want)) || head.N != c.N || head.Producer != c.Producer {
		t.Errorf("stripped entry %d of %s has %d bytes, want %d", head.N, head.Producer, len(got), len(enc.Append(nil, &want)))
	}
	if len(c.Local)+len(c.Early) == 0 {
		t.Error("the sample has nothing to strip")
	}
	if _, _, err := s.Append(nil, got[:len(got)-1]); err == nil {
		t.Error("a damaged entry was stripped")
	}
}
