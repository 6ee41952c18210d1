package forwarder

import (
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir/schemas"
	"weir/services/internal/bus"
)

func TestBacklogAndLive(t *testing.T) {
	bubble(t, agentConfig, func(t *testing.T, r *rig) {
		r.region.credit = 20_000 // ten entries a second
		w := r.agent()
		for range 100 {
			w.write(1, 2000)
		}
		r.start()
		for range 5 {
			later(time.Second)
			w.write(1, 2000)
		}
		later(300 * time.Millisecond)
		live := r.lane(schemas.LaneLive)
		if len(live) != 5 || live[4].c.N != 105 {
			t.Errorf("%d live entries have come", len(live))
		}
		for i, a := range live {
			if late := a.at.UnixNano() - a.c.Wall; late > int64(50*time.Millisecond) {
				t.Errorf("live entry %d came after %v", i, time.Duration(late))
			}
		}
		backfill := r.lane(schemas.LaneBackfill)
		if n := len(backfill); n < 40 || n > 70 {
			t.Errorf("%d entries of backfill in 5.3 s, about 50 were granted", n)
		}
		for i, a := range backfill {
			if a.c.N != uint64(i+1) {
				t.Fatalf("backfill %d is entry %d: not oldest first", i, a.c.N)
			}
		}
		later(10 * time.Second)
		r.whole(t)
		if n := len(r.came()); n != 105 {
			t.Errorf("%d messages came for 105 entries", n)
		}
		if st := r.status(); !st.Up || st.Entries+uint64(st.Bytes+st.Backfill+st.Oldest) != 0 || st.ETA != 0 {
			t.Errorf("status when all is done: %+v", st)
		}
		if n := r.kept(); n != 1 {
			t.Errorf("the outbox keeps %d messages, want the newest", n)
		}
	})
}

// TestFirstBacklog: an outage of any kind ends with backlog above within two seconds.
func TestFirstBacklog(t *testing.T) {
	f := func(name string, dark, restart bool) {
		t.Helper()
		bubble(t, agentConfig, func(t *testing.T, r *rig) {
			w := r.agent()
			r.start()
			w.write(1, 0)
			later(4 * time.Second)
			r.region.do(func() { r.region.dark = dark })
			if !dark {
				r.region.cut()
			}
			for range 60 {
				w.write(1, 100)
				later(time.Second + 13*time.Millisecond)
			}
			if st := r.status(); st.Up || st.Backfill == 0 || st.Entries != 60 {
				t.Errorf("%s: during the outage: %+v", name, st)
			}
			if restart {
				if err := r.stop(); err != nil {
					t.Error(err)
				}
				r.start()
			}
			healed, before := time.Now(), len(r.came())
			r.region.do(func() { r.region.dark = false })
			r.region.heal()
			later(2 * time.Second)
			if after := r.came()[before:]; len(after) == 0 || after[0].lane != schemas.LaneBackfill || after[0].at.Sub(healed) > 2*time.Second {
				t.Errorf("%s: no backlog within two seconds: %d messages", name, len(after))
			}
			later(5 * time.Second)
			r.whole(t)
		})
	}
	f("refused", false, false)
	f("blackhole", true, false)
	f("refused, restarted", false, true)
}

// TestBacklogAtOnce: a link that was refused brings backlog a moment after it is there
// again, whenever that is, from a region that deals credit once a second.
func TestBacklogAtOnce(t *testing.T) {
	bubble(t, agentConfig, func(t *testing.T, r *rig) {
		r.region.frugal = true
		w := r.agent()
		r.start()
		w.write(1, 0)
		later(4 * time.Second)
		for i := range 20 {
			r.region.cut()
			for range 3 {
				w.write(1, 100)
				later(2*time.Second + time.Duration(i)*37*time.Millisecond)
			}
			healed, before := time.Now(), len(r.came())
			r.region.heal()
			later(2 * time.Second)
			after := r.came()[before:]
			if len(after) == 0 || after[0].at.Sub(healed) > 200*time.Millisecond {
				t.Errorf("heal %d: no backlog within 0.2 s: %d messages", i, len(after))
			}
		}
		r.whole(t)
	})
}

// TestFlaps: links that come and go with nothing to bring do not make the next one wait.
func TestFlaps(t *testing.T) {
	bubble(t, agentConfig, func(t *testing.T, r *rig) {
		w := r.agent()
		r.start()
		for range 8 {
			later(20 * time.Second)
			r.region.cut()
			later(15 * time.Second)
			r.region.heal()
		}
		later(20 * time.Second)
		w.write(1, 0)
		r.region.cut()
		w.write(1, 0)
		later(500 * time.Millisecond)
		r.region.heal()
		later(2 * time.Second)
		r.whole(t)
		if n := r.said("link is down"); n != 9 {
			t.Errorf("the link was down %d times, want 9", n)
		}
	})
}

func TestAlertsFirst(t *testing.T) {
	bubble(t, agentConfig, func(t *testing.T, r *rig) {
		r.region.credit = 6000
		commits, findings := r.agent(), r.writer(schemas.Detector("a001"), schemas.AgentOutbox("a001", "finding"), 7)
		for range 30 {
			commits.write(1, 2000)
		}
		findings.write(2, 100)
		r.start()
		later(2500 * time.Millisecond)
		commits.write(1, 100)
		findings.write(1, 100)
		later(100 * time.Millisecond)
		for i, a := range r.came()[:2] {
			if a.lane != schemas.LaneAlert {
				t.Errorf("message %d is on lane %s", i, a.lane)
			}
		}
		if n := len(r.lane(schemas.LaneAlert)); n != 3 {
			t.Errorf("%d of 3 findings came as alerts", n)
		}
		if n := len(r.lane(schemas.LaneBackfill)); n > 12 {
			t.Errorf("%d entries of backfill: the findings were to overtake it", n)
		}
		later(30 * time.Second)
		r.whole(t)
	})
}

// TestAlertOvertakesLive: with a budget that is too small for what is live, an
// alert still comes at once.
func TestAlertOvertakesLive(t *testing.T) {
	cfg := agentConfig
	cfg.Budget = Budget{BytesPerSecond: 10_000, Reserve: 0.2}
	bubble(t, cfg, func(t *testing.T, r *rig) {
		commits, findings := r.agent(), r.writer(schemas.Detector("a001"), schemas.AgentOutbox("a001", "finding"), 7)
		r.start()
		for range 100 {
			commits.write(1, 1000)
		}
		later(2 * time.Second)
		findings.write(1, 100)
		written := time.Now()
		later(time.Second)
		if a := r.lane(schemas.LaneAlert); len(a) != 1 || a[0].at.Sub(written) > 20*time.Millisecond {
			t.Errorf("the alert was late: %v", a)
		}
		later(time.Minute)
		r.whole(t)
	})
}

func TestSeveralProducers(t *testing.T) {
	cfg := Config{Tier: schemas.TierRegion, Name: "r01", Upstream: schemas.Center, Stream: schemas.StreamRegionOutbox}
	bubble(t, cfg, func(t *testing.T, r *rig) {
		for p := range 3 {
			r.writer(schemas.Producer("r01", p), schemas.GatewayOutbox("r01", p, schemas.KindCommit), byte(p+1))
		}
		for i := range 30 {
			r.writers[i%3].write(1+i%2, 500)
		}
		r.start()
		later(time.Second)
		for i := range 30 {
			r.writers[i%3].write(1, 500)
		}
		later(10 * time.Second)
		r.whole(t)
		if n := r.kept(); n != 3 {
			t.Errorf("the outbox keeps %d messages, want the newest of each producer", n)
		}
		reported := map[string]bool{}
		for _, rep := range r.told() {
			reported[rep.Producer] = true
		}
		if len(reported) != 3 {
			t.Errorf("reports came of %v", reported)
		}
	})
}

// TestEmptyOutbox: who has nothing yet has a link all the same, and hears of policy.
func TestEmptyOutbox(t *testing.T) {
	cfg := agentConfig
	var policy []uint64
	cfg.Policy = func(rev uint64) { policy = append(policy, rev) }
	bubble(t, cfg, func(t *testing.T, r *rig) {
		r.region.policy = 4
		r.start()
		later(10 * time.Second)
		if st := r.status(); !st.Up || st.Tier != schemas.TierAgent || st.Upstream != "r01" {
			t.Errorf("status: %+v", st)
		}
		r.region.do(func() { r.region.policy = 5 })
		later(10 * time.Second)
		if !slices.Equal(policy, []uint64{4, 5}) {
			t.Errorf("told of policies %v", policy)
		}
		if n := len(r.told()); n > 16 {
			t.Errorf("%d reports in 20 s with nothing to say", n)
		}
		r.agent().write(1, 0)
		later(100 * time.Millisecond)
		r.whole(t)
	})
}

// TestReports: the tier above is told true figures, once a second while it lacks something.
func TestReports(t *testing.T) {
	bubble(t, agentConfig, func(t *testing.T, r *rig) {
		w := r.agent()
		w.write(1, 1000)
		w.write(3, 1000)
		bytes := int64(0)
		for _, m := range r.out.messages {
			bytes += int64(len(m.Data))
		}
		r.region.credit, r.region.within = 0, 0
		wall := w.all[0].Wall / second * second
		r.start()
		later(10 * time.Second)
		want := schemas.LinkReport{Producer: "a001", Epoch: w.all[0].Epoch.String(), Newest: 4, Entries: 4, Bytes: bytes, Backfill: bytes, Oldest: wall}
		for i, got := range r.told() {
			if i == 0 {
				got.Backfill = bytes // the greeting asks for no credit
			}
			if got != want {
				t.Fatalf("report %d %+v\nwant   %+v", i, got, want)
			}
		}
		if n := len(r.told()); n < 10 || n > 14 {
			t.Errorf("%d reports in 10 s", n)
		}
		if st := r.status(); st.ETA != -1 || st.Oldest != wall || st.Bytes != bytes {
			t.Errorf("status: %+v", st)
		}
		r.region.do(func() { r.region.credit = 1 << 20 })
		later(10 * time.Second)
		r.whole(t)
	})
}

func TestETA(t *testing.T) {
	bubble(t, agentConfig, func(t *testing.T, r *rig) {
		r.region.credit = 10_000
		w := r.agent()
		for range 600 {
			w.write(1, 1000)
		}
		r.start()
		later(30 * time.Second)
		st := r.status()
		if rest := float64(st.Backfill) / 10_000; st.ETA < 0.7*rest || st.ETA > 1.5*rest {
			t.Errorf("%v s to go; at 10 kB/s packed it is about %v s", st.ETA, rest)
		}
		if !st.Up || st.Sent < 200_000 || time.Since(time.Unix(0, st.Since)) < 29*time.Second {
			t.Errorf("status: %+v", st)
		}
		r.region.cut()
		later(20 * time.Second)
		if st := r.status(); st.Up || st.ETA != -1 || time.Since(time.Unix(0, st.Since)) > 12*time.Second {
			t.Errorf("status when the link is down: %+v", st)
		}
		r.region.do(func() { r.region.credit = 1 << 20 })
		r.region.heal()
		later(10 * time.Second)
		r.whole(t)
	})
}

func TestFullInbox(t *testing.T) {
	bubble(t, agentConfig, func(t *testing.T, r *rig) {
		w := r.agent()
		for range 50 {
			w.write(1, 100)
		}
		r.region.full = true
		r.start()
		for range 60 {
			w.write(1, 100)
			later(time.Second)
		}
		if n := r.tries(); n > 1000 {
			t.Errorf("%d messages were sent in a minute without room above", n)
		}
		if r.said("link is down") > 0 {
			t.Error("a full inbox is no loss of the link")
		}
		r.region.do(func() { r.region.full = false })
		later(20 * time.Second)
		r.whole(t)
	})
}

// TestLostAbove: what the tier above loses after it has stored it comes again, though the link has never failed.
func TestLostAbove(t *testing.T) {
	bubble(t, agentConfig, func(t *testing.T, r *rig) {
		w := r.agent()
		r.start()
		later(time.Second)
		r.region.do(func() { r.region.lag = time.Minute })
		for range 20 {
			w.write(1, 100)
		}
		later(time.Second)
		if n := r.region.lose(); n != 20 {
			t.Fatalf("%d entries are lost", n)
		}
		r.region.do(func() { r.region.lag = 0 })
		w.write(1, 100) // it shows that the others were passed by
		later(5 * time.Second)
		r.whole(t)
		if n := r.read(); n > 21+20 {
			t.Errorf("%d messages were read: all once, and 20 again", n)
		}
		if r.said("lost there") == 0 {
			t.Error("nobody was told")
		}
		if r.said("link is down") > 0 {
			t.Error("the link has not failed")
		}
	})
}

// TestOwnerAway: while nobody owns the partition above, what is live goes on into its inbox, and backfill waits.
func TestOwnerAway(t *testing.T) {
	bubble(t, agentConfig, func(t *testing.T, r *rig) {
		r.region.credit = 2000
		w := r.agent()
		for range 100 {
			w.write(1, 1000)
		}
		r.start()
		later(5 * time.Second)
		r.region.do(func() { r.region.mute = true })
		later(2 * time.Second)
		before := len(r.lane(schemas.LaneBackfill))
		for range 30 {
			w.write(1, 100)
			later(time.Second)
		}
		if n := len(r.lane(schemas.LaneBackfill)) - before; n != 0 {
			t.Errorf("%d entries of backfill were sent without credit", n)
		}
		if n := len(r.lane(schemas.LaneLive)); n != 30 || !r.status().Up {
			t.Errorf("%d of 30 live entries have come, status %+v", n, r.status())
		}
		r.region.do(func() { r.region.mute, r.region.credit = false, 1<<20 })
		later(10 * time.Second)
		r.whole(t)
		if n := len(r.came()); n != 130 {
			t.Errorf("%d messages for 130 entries", n)
		}
		r.region.do(func() { r.region.mute = true })
		later(20 * time.Second)
		if r.status().Up {
			t.Error("up, though nothing has come down for 20 s")
		}
		r.region.do(func() { r.region.mute = false })
		later(time.Second)
	})
}

// TestAppliedMeanwhile: what is queued and turns out to be applied is not sent.
func TestAppliedMeanwhile(t *testing.T) {
	bubble(t, agentConfig, func(t *testing.T, r *rig) {
		r.region.credit = 0
		w := r.agent()
		for range 20 {
			w.write(1, 100)
		}
		r.start()
		later(5 * time.Second)
		r.region.do(func() {
			for _, c := range w.all {
				r.region.apply(c)
			}
			r.region.credit = 1 << 20
		})
		later(5 * time.Second)
		r.whole(t)
		if n := r.tries(); n != 0 {
			t.Errorf("%d entries were sent", n)
		}
	})
}

// TestSlowApply: a tier above that is slow to apply gets nothing twice.
func TestSlowApply(t *testing.T) {
	bubble(t, agentConfig, func(t *testing.T, r *rig) {
		r.region.lag = 40 * time.Second
		w := r.agent()
		for range 20 {
			w.write(1, 100)
		}
		r.start()
		for range 100 {
			w.write(1, 100)
			later(time.Second)
		}
		later(time.Minute)
		r.whole(t)
		if n := len(r.came()); n != 120 {
			t.Errorf("%d messages for 120 entries", n)
		}
	})
}

func TestDamaged(t *testing.T) {
	bubble(t, agentConfig, func(t *testing.T, r *rig) {
		w := r.agent()
		w.write(3, 100)
		damage := func(i int, f func([]byte) []byte) {
			r.out.messages[i].Data = f(r.out.messages[i].Data)
			w.all[i] = w.all[0] // nobody waits for it
		}
		damage(1, func(b []byte) []byte { return b[:20] })
		r.out.put("weir.outbox.a002.commit", []byte{1})
		w.write(1, 100)
		r.start()
		later(time.Second)
		r.whole(t)
		st := r.status()
		if st.Damaged != 2 || !strings.Contains(st.Damage, "weir.outbox.a002.commit at 4") {
			t.Errorf("status: %+v", st)
		}
		for _, want := range []string{"passed by", "so_far=1", "so_far=2"} {
			if r.said(want) == 0 {
				t.Errorf("the log does not say %q", want)
			}
		}
		w.write(1, 100)
		later(10 * time.Second)
		r.whole(t)
		if st := r.status(); st.Entries != 0 || st.Damaged != 2 {
			t.Errorf("status: %+v", st)
		}
	})
}

// TestDamagedContent: an entry whose head can be read and whose windows cannot.
func TestDamagedContent(t *testing.T) {
	bubble(t, agentConfig, func(t *testing.T, r *rig) {
		w := r.agent()
		w.write(1, 100)
		c := &schemas.Commit{Producer: "a001", Epoch: schemas.Epoch{1}, N: 2, RunFirst: 2, End: true, Wall: 1}
		c.Windows = []schemas.Window{{View: "v", Key: schemas.Key{Tenant: "t"}, Start: 1, End: 0, FirstN: 2, Revision: 1, Timing: schemas.OnTime, Count: 1}}
		w.n = 2
		r.out.put(w.subject, w.enc.Append(nil, c))
		w.write(1, 100)
		r.start()
		later(10 * time.Second)
		r.whole(t)
		if st := r.status(); st.Damaged != 1 || st.Entries != 0 || !strings.Contains(st.Damage, "at 2") {
			t.Errorf("status: %+v", st)
		}
	})
}

// TestNewerVersion: entries of a newer program are not passed by.
func TestNewerVersion(t *testing.T) {
	synctestRig(t, func(r *rig) {
		w := r.agent()
		w.write(1, 0)
		r.out.put(w.subject, []byte{schemas.CommitVersion + 1, 0})
		r.start()
		later(time.Second)
		if err := r.stop(); err == nil || !strings.Contains(err.Error(), "upgrade weir") {
			t.Errorf("ended with %v", err)
		}
	})
}

// TestNewEpoch: an outbox that begins again is brought like any other.
func TestNewEpoch(t *testing.T) {
	bubble(t, agentConfig, func(t *testing.T, r *rig) {
		w := r.agent()
		r.region.credit = 0
		for range 5 {
			w.write(1, 100)
		}
		r.start()
		later(5 * time.Second)
		w2 := r.writer("a001", w.subject, 2)
		for range 5 {
			w2.write(2, 100)
		}
		later(5 * time.Second)
		if r.purges() > 0 {
			t.Error("something was purged, though the old epoch is not applied")
		}
		r.region.do(func() { r.region.credit = 1 << 20 })
		later(20 * time.Second)
		r.whole(t)
		if n := r.kept(); n != 2 {
			t.Errorf("the outbox keeps %d messages, want the newest run of two", n)
		}
	})
}

// TestRemoved: what others take out of the outbox is no longer waited for.
func TestRemoved(t *testing.T) {
	bubble(t, agentConfig, func(t *testing.T, r *rig) {
		w := r.agent()
		r.region.cut()
		for range 100 {
			w.write(1, 100)
		}
		r.start()
		later(10 * time.Second)
		r.out.remove(func(m bus.Message) bool { return m.Seq <= 40 || m.Seq == 60 || m.Seq >= 95 })
		w.all = append(w.all[40:59], w.all[60:94]...)
		r.region.heal()
		later(10 * time.Second)
		r.whole(t)
		if st := r.status(); st.Entries != 0 || st.Bytes != 0 {
			t.Errorf("status: %+v", st)
		}
		if n := r.kept(); n != 53 {
			t.Errorf("the outbox keeps %d of 53 messages, though its newest has vanished", n)
		}
	})
}

// TestRestored: entries that the tier above has from before a backup was restored are not sent, and those there stand.
func TestRestored(t *testing.T) {
	bubble(t, agentConfig, func(t *testing.T, r *rig) {
		for n := range uint64(50) {
			r.region.apply(&schemas.Commit{Epoch: schemas.Epoch{1}, N: n + 1})
		}
		w := r.agent()
		for range 30 {
			w.write(1, 100)
		}
		r.start()
		later(time.Second)
		for range 30 {
			w.write(1, 100)
		}
		later(10 * time.Second)
		r.whole(t)
		if n := len(r.came()); n != 10 {
			t.Errorf("%d entries were sent, want the ten that are new above", n)
		}
		if n := r.said("never had"); n != 1 {
			t.Errorf("told %d times that the tier above is ahead", n)
		}
	})
}

// TestRegionAnew: a region begins with an empty folder, and the center has what the
// folder before had brought: it says so, whether or not the center has something of
// this one. What was there when the process began is of this folder.
func TestRegionAnew(t *testing.T) {
	cfg := Config{Tier: schemas.TierRegion, Name: "r01", Upstream: schemas.Center, Stream: schemas.StreamRegionOutbox}
	f := func(name string, empty bool, known []schemas.LinkEpoch, want uint64) {
		bubble(t, cfg, func(t *testing.T, r *rig) {
			r.region.known = known
			w := r.writer("r01/0", schemas.GatewayOutbox("r01", 0, schemas.KindCommit), 1)
			if !empty {
				w.write(1, 100)
			}
			r.start()
			later(time.Second)
			w.write(1, 100)
			later(10 * time.Second)
			ahead := uint64(0)
			for _, a := range r.status().Ahead {
				ahead += a.To + 1 - a.From
			}
			if said := r.said("another data folder made"); ahead != want || (said == 1) != (want > 0) {
				t.Errorf("%s: %d entries above are not from here, told %d times", name, ahead, said)
			}
		})
	}
	other := schemas.LinkEpoch{Epoch: schemas.Epoch{7}.String(), Applied: 50}
	ours := schemas.LinkEpoch{Epoch: schemas.Epoch{1}.String(), Applied: 1}
	f("a new folder", true, []schemas.LinkEpoch{other}, 50)
	f("a new folder of which the center has something", true, []schemas.LinkEpoch{other, ours}, 50)
	f("started again", false, []schemas.LinkEpoch{ours, other}, 0)
	f("the only one", true, nil, 0)
}

// TestRegionRestored: a region's outbox is an older copy, and has made more entries than
// the center has before the link comes up. Which of its numbers are another copy's is
// known all the same.
func TestRegionRestored(t *testing.T) {
	cfg := Config{Tier: schemas.TierRegion, Name: "r01", Upstream: schemas.Center, Stream: schemas.StreamRegionOutbox}
	bubble(t, cfg, func(t *testing.T, r *rig) {
		for n := range uint64(50) {
			r.region.apply(&schemas.Commit{Epoch: schemas.Epoch{1}, N: n + 1})
		}
		r.region.cut()
		w := r.writer("r01/3", schemas.GatewayOutbox("r01", 3, schemas.KindCommit), 1)
		other := r.writer("r01/4", schemas.GatewayOutbox("r01", 4, schemas.KindCommit), 2)
		for range 30 {
			w.write(1, 100)
		}
		r.start()
		later(time.Second)
		for range 30 {
			w.write(1, 100)
			other.write(1, 100)
		}
		r.region.heal()
		later(10 * time.Second)
		want := []schemas.Ahead{{Producer: "r01/3", Span: schemas.Span{From: 31, To: 50}}}
		if got := r.status().Ahead; !slices.Equal(got, want) {
			t.Errorf("%v are another copy's, want %v", got, want)
		}
	})
}

// TestAboveRestored: the tier above goes back to an older copy of its own. What it lacks
// of what is here still is brought again.
func TestAboveRestored(t *testing.T) {
	cfg := agentConfig
	cfg.Keep = 0.9
	bubble(t, cfg, func(t *testing.T, r *rig) {
		r.out.cap = 1 << 30
		w := r.agent()
		for range 50 {
			w.write(1, 100)
		}
		r.start()
		later(10 * time.Second)
		r.region.cut()
		r.region.do(func() {
			for n := range r.region.applied[w.all[0].Epoch.String()] {
				if n > 20 {
					delete(r.region.applied[w.all[0].Epoch.String()], n)
				}
			}
		})
		w.write(1, 100)
		r.region.heal()
		later(30 * time.Second)
		r.whole(t)
		if n := len(r.came()); n != 81 {
			t.Errorf("%d entries came, want 51, and 30 once more", n)
		}
		if n := r.said("lacks entries that it had"); n != 1 {
			t.Errorf("told %d times", n)
		}
	})
}

// TestLargeEntries: an entry that is larger than a grant goes alone, and is paid for by later grants.
func TestLargeEntries(t *testing.T) {
	bubble(t, agentConfig, func(t *testing.T, r *rig) {
		w := r.agent()
		for range 4 {
			w.write(1, 100_000)
		}
		r.region.credit = 20_000
		r.start()
		later(10 * time.Second)
		if n := len(r.came()); n < 2 || n > 3 {
			t.Errorf("%d entries of 75 kB packed in 10 s at 20 kB/s", n)
		}
		later(10 * time.Second)
		r.whole(t)
	})
}

// TestBudget: backfill keeps to its share while live entries come, and live ones to the budget.
func TestBudget(t *testing.T) {
	cfg := agentConfig
	cfg.Budget = Budget{BytesPerSecond: 20_000, BackfillShare: 0.4}
	bubble(t, cfg, func(t *testing.T, r *rig) {
		w := r.agent()
		for range 1000 {
			w.write(1, 1000)
		}
		r.start()
		for range 40 {
			w.write(1, 1000)
			later(time.Second)
		}
		share := bytesPerSecond(r.lane(schemas.LaneBackfill), 10*time.Second)
		if share > 8000*1.01 || share < 8000*0.9 {
			t.Errorf("backfill took %.0f bytes/s of 20000 while live flowed, its share is 8000", share)
		}
		for _, a := range r.lane(schemas.LaneLive) {
			if late := time.Duration(a.at.UnixNano() - a.c.Wall); late > 100*time.Millisecond {
				t.Errorf("live entry %d came after %v", a.c.N, late)
			}
		}
		later(5 * time.Second)
		quiet := r.lane(schemas.LaneBackfill)
		later(10 * time.Second)
		if all := bytesPerSecond(r.lane(schemas.LaneBackfill)[len(quiet):], 0); math.Abs(all-20_000) > 300 {
			t.Errorf("backfill took %.0f bytes/s of 20000 with nothing live", all)
		}
		later(2 * time.Minute)
		r.whole(t)
	})
}

// bytesPerSecond is the rate of arrivals after a while.
func bytesPerSecond(as []arrival, skip time.Duration) float64 {
	n, from := 0, as[0].at.Add(skip)
	for _, a := range as {
		if !a.at.Before(from) {
			n += a.bytes
		}
	}
	return float64(n) / as[len(as)-1].at.Sub(from).Seconds()
}

// TestTooMuchLive: what is more than the queues hold and the link brings waits in the outbox, as backfill.
func TestTooMuchLive(t *testing.T) {
	cfg := agentConfig
	cfg.Budget.BytesPerSecond = 1 << 20
	bubble(t, cfg, func(t *testing.T, r *rig) {
		w, findings := r.agent(), r.writer(schemas.Detector("a001"), schemas.AgentOutbox("a001", "finding"), 7)
		r.start()
		later(time.Second)
		for range 100 {
			w.write(1, 100_000)
			findings.write(1, 20_000)
		}
		synctest.Wait()
		r.svc.mu.Lock()
		for l, q := range r.svc.cycle.queues {
			if q.bytes > queueRoom[l] {
				t.Errorf("lane %d queues %d bytes", l, q.bytes)
			}
		}
		r.svc.mu.Unlock()
		later(20 * time.Second)
		r.whole(t)
		live, backfill, alerts := r.lane(schemas.LaneLive), r.lane(schemas.LaneBackfill), r.lane(schemas.LaneAlert)
		if len(live) < 35 || len(live)+len(backfill) != 100 || len(alerts) != 100 {
			t.Errorf("%d alerts, %d live, %d backfill", len(alerts), len(live), len(backfill))
		}
		if last := alerts[99].at; last.After(live[10].at) {
			t.Error("alerts came after what is live")
		}
	})
}

// TestStart: what the outbox held at the start is backfill, however long it takes to be read.
func TestStart(t *testing.T) {
	bubble(t, agentConfig, func(t *testing.T, r *rig) {
		w := r.agent()
		for range 100 {
			w.write(1, 100)
		}
		r.out.slow = 10 * time.Millisecond
		r.start()
		later(10 * time.Second)
		r.whole(t)
		if n := len(r.lane(schemas.LaneBackfill)); n != 100 {
			t.Errorf("%d of 100 entries came as backfill", n)
		}
	})
}

// TestQuietAndBusy: after a silence what comes is asked for and done with within a second or so.
func TestQuietAndBusy(t *testing.T) {
	bubble(t, agentConfig, func(t *testing.T, r *rig) {
		w := r.agent()
		r.region.within = 0
		r.start()
		for i := range 10 {
			later(20*time.Second + time.Duration(i)*370*time.Millisecond)
			w.write(1, 100)
			later(1200 * time.Millisecond)
			if st := r.status(); st.Entries != 0 {
				t.Errorf("%d entries are still owed after 1.2 s", st.Entries)
			}
		}
	})
}

// TestKeep: what is applied stays for readers of this tier until the outbox is as full as it may be.
func TestKeep(t *testing.T) {
	cfg := agentConfig
	cfg.Keep = 0.5
	bubble(t, cfg, func(t *testing.T, r *rig) {
		r.out.cap = 50_000
		w := r.agent()
		r.start()
		f := func(writes, least, most int) {
			t.Helper()
			for range writes {
				w.write(1, 1000)
			}
			later(30 * time.Second)
			if n := r.kept(); n < least || n > most {
				t.Errorf("the outbox keeps %d messages of 1.1 kB, want %d to %d", n, least, most)
			}
		}
		f(20, 20, 20)
		f(20, 15, 23)
		f(1, 15, 24)
		r.whole(t)
	})
}

// TestReadsOnce: an agent's live entries are read once, and none of them twice from the outbox.
func TestReadsOnce(t *testing.T) {
	bubble(t, agentConfig, func(t *testing.T, r *rig) {
		w := r.agent()
		r.start()
		for range 100 {
			later(time.Second)
			w.write(1, 100)
		}
		later(10 * time.Second)
		r.whole(t)
		if n := r.read(); n != 100 {
			t.Errorf("%d messages were read for 100 entries", n)
		}
	})
}
