package backlog

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"weir/schemas"
)

// livedOnce is a data folder as a weir up leaves it: a document in the journal
// of each agent, a commit, and a bucket.
func livedOnce(t *testing.T, agents int, journalBytes int64) string {
	t.Helper()
	dir := t.TempDir()
	s, err := open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	sizes := schemas.DefaultSizes()
	sizes.Journal = journalBytes
	for _, d := range schemas.OneProcess(sizes, []string{"r01"}) {
		c := &nats.StreamConfig{Name: schemas.DefaultPrefix + d.Name, Subjects: d.Subjects, MaxBytes: d.MaxBytes, Discard: nats.DiscardNew}
		if _, err := s.js.AddStream(c); err != nil {
			t.Fatal(err)
		}
	}
	for i := range agents {
		w := &scribe{agent: []string{"a001", "a002", "a003"}[i], document: &schemas.Config{Revision: 3, Document: []byte(`{"a":1}`)}}
		if err := w.collect(s, 1e9); err != nil {
			t.Fatal(err)
		}
	}
	kv, err := s.js.CreateKeyValue(&nats.KeyValueConfig{Bucket: schemas.DefaultPrefix + schemas.BucketPolicy})
	if err == nil {
		_, err = kv.PutString("default", "{}")
	}
	if err == nil {
		_, err = s.js.Publish(schemas.AgentOutbox("a001", schemas.KindCommit), []byte("x"))
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestWrite: the journal holds what it is said to hold, the document first, and
// everything else but the buckets is as in a new folder.
func TestWrite(t *testing.T) {
	dir := livedOnce(t, 3, 1<<20)
	l := small
	l.Bytes = 200 << 10
	b, err := Write(t.Context(), dir, l)
	if err != nil {
		t.Fatal(err)
	}
	if left, err := filepath.Glob(filepath.Join(dir, "jetstream/jetstream/$G/streams/"+journal+"/msgs/*")); err != nil || len(left) == 0 || strings.Contains(strings.Join(left, " "), "index.db") {
		t.Errorf("the journal's files are %v, %v; wanted blocks and no index", left, err)
	}
	s, err := open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	records, frames := count(t, s)
	if b.Bytes < l.Bytes || b.Frames != frames || b.Records != int64(records) || records == 0 {
		t.Errorf("said %+v, the journal holds %d records in %d frames", b, records, frames)
	}
	if per := float64(b.Bytes) / float64(b.Records); per < leastPerRecord {
		t.Errorf("a record takes %.1f bytes: the journal would reach into the future", per)
	}
	documents, err := s.documents()
	if err != nil || len(documents) != 3 || documents["a002"].Revision != 3 {
		t.Errorf("documents %v, %v", documents, err)
	}
	if i, err := s.js.StreamInfo(schemas.DefaultPrefix + schemas.StreamAgentOutbox); err != nil || i.State.LastSeq != 0 {
		t.Errorf("the outbox is not as new: %+v, %v", i, err)
	}
	if i, err := s.js.StreamInfo("KV_" + schemas.DefaultPrefix + schemas.BucketPolicy); err != nil || i.State.Msgs != 1 {
		t.Errorf("the bucket has lost its document: %+v, %v", i, err)
	}
}

// count reads the journal from its first sequence to its last.
func count(t *testing.T, s *store) (records int, frames uint64) {
	t.Helper()
	i, err := s.js.StreamInfo(journal)
	if err != nil {
		t.Fatal(err)
	}
	for seq := uint64(1); seq <= i.State.LastSeq; seq++ {
		m, err := s.js.GetMsg(journal, seq)
		if err != nil {
			t.Fatal(err)
		}
		h, err := new(schemas.FrameDecoder).Head(m.Data)
		if err != nil {
			t.Fatal(err)
		}
		records += h.Records
	}
	return records, i.State.LastSeq
}

// TestWriteRefuses: nothing is written that ingest could not have written, nor
// where there is no journal.
func TestWriteRefuses(t *testing.T) {
	l := small
	l.Bytes = 950 << 10
	if _, err := Write(t.Context(), livedOnce(t, 0, 1<<20), l); err == nil || !strings.Contains(err.Error(), "use at most 943") {
		t.Errorf("a journal above nine tenths of its cap: %v", err)
	}
	empty := t.TempDir()
	if _, err := Write(t.Context(), empty, l); err == nil || !strings.Contains(err.Error(), journal) {
		t.Errorf("a folder without a journal: %v", err)
	}
	if err := forgetIndex(empty); err == nil {
		t.Error("an index that is not where it is looked for went unnoticed")
	}
}
