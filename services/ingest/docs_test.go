package ingest

import (
	"bufio"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir/schemas"
)

const readingsDoc = "../../docs/readings.md"

// TestReadingsDoc sends the examples of the reference and compares the replies.
func TestReadingsDoc(t *testing.T) {
	examples := docExamples(t)
	if len(examples) < 10 {
		t.Fatalf("only %d examples found in %s", len(examples), readingsDoc)
	}
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(time.Date(2025, 11, 21, 21, 20, 1, 0, time.UTC)))
		h := start(t, Config{}, newMemLog(), nil)
		for _, e := range examples {
			if got := <-h.nats.request("tel.t.d.metrics", e[0]); got.text != e[1] {
				t.Errorf("send  %s\ngot   %s\nwant  %s", e[0], got.text, e[1])
			}
		}
		if err := h.stop(); err != nil {
			t.Fatal(err)
		}
		balance(t, h.log.journal(t, "a1"))
	})
}

// docExamples reads the pairs of send and reply.
func docExamples(t *testing.T) (pairs [][2]string) {
	t.Helper()
	f, err := os.Open(readingsDoc)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var sent string
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if s, ok := strings.CutPrefix(lines.Text(), "send  "); ok {
			sent = s
		}
		if s, ok := strings.CutPrefix(lines.Text(), "reply "); ok {
			pairs = append(pairs, [2]string{sent, s})
		}
	}
	return pairs
}

func TestReadingsDocListsAllReasons(t *testing.T) {
	doc, err := os.ReadFile(readingsDoc)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range append(schemas.RejectReasons, schemas.JournalFull) {
		if !strings.Contains(string(doc), "`"+string(r)+"`") {
			t.Errorf("%s does not explain %s", readingsDoc, r)
		}
	}
}
