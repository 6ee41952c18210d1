package planted

// Bug is a mistake that somebody could make, and that the scenarios must notice.
type Bug struct {
	Name    string
	Does    string   // what goes wrong, in a few words
	Caught  []string // scenarios that are known to catch it, the quickest first
	Test    Test     // instead: what catches it where no scenario can be relied on to
	Fast    bool     // it is caught soon enough to be tried before each change
	Patches []Patch
	Beside  []Patch // no bug, but what lets it show; the control run has these, too
}

// Test is a test of the product.
type Test struct{ Package, Name string } // package: its folder, from that of the project

// String is how the test is run.
func (t Test) String() string { return "go test -run " + t.Name + " ./" + t.Package }

// Bugs are all that are planted.
func Bugs() []Bug {
	return []Bug{
		{
			Name: "ack before store", Does: "devices are acknowledged when a reading arrives, not when its frame is in the journal",
			Caught: []string{"kills"}, Fast: true,
			Patches: []Patch{{
				"services/ingest/agent.go",
				"a.open.due = append(a.open.due, answerOf(in, m, taken))",
				"due := answerOf(in, m, taken)\n\t\tdue.to.answer(&due)",
			}},
		},
		{
			Name: "cursor before output", Does: "the position is stored before the commit that it stands for; a slow disk lies between",
			Caught: []string{"kills"},
			Patches: []Patch{{
				"services/internal/fold/stage.go",
				"		if err := s.commit(ctx, m, r); err != nil {",
				"		s.save(ctx)\n\t\ttime.Sleep(200 * time.Millisecond)\n\t\tif err := s.commit(ctx, m, r); err != nil {",
			}},
		},
		{
			Name: "repeat filter off after a restart", Does: "the numbers seen from devices are not restored from the checkpoint",
			Caught: []string{"resends"},
			Patches: []Patch{{
				"services/aggregator/numbers.go",
				"n.seen = append(n.seen, s)\n\t}\n\treturn n",
				"_ = s\n\t}\n\treturn n",
			}},
		},
		{
			Name: "sum instead of replace", Does: "a revision of a window is added to the one before it",
			Caught: []string{"calm"}, Fast: true,
			Patches: []Patch{{
				"services/gateway/fold.go",
				"	p.Window = *w\n",
				"	n, sum, digest := p.Count, p.Sum, p.Digest\n\tp.Window = *w\n\tp.Count, p.Sum, p.Digest = p.Count+n, p.Sum+sum, p.Digest+digest\n",
			}},
		},
		{
			Name: "age limit on the outbox", Does: "entries expire 10 s after they are stored, by the wall clock",
			Caught: []string{"outage"},
			Patches: []Patch{
				{"services/internal/bus/bus.go", "	_, err := b.js.CreateOrUpdateStream(ctx, cfg)", "	if s.Name == schemas.StreamAgentOutbox {\n\t\tcfg.MaxAge = 10 * time.Second\n\t}\n\t_, err := b.js.CreateOrUpdateStream(ctx, cfg)"},
			},
		},
		{
			Name: "newest commit removed", Does: "the forwarder removes the newest commit, too, once it is applied above (of an agent, where applied entries are removed at once)",
			Caught: []string{"kills"},
			Patches: []Patch{
				{"services/forwarder/source.go", "below := min(s.whole.seq, limit)", "below := min(s.seq+1, limit)"},
			},
			Beside: []Patch{
				{"services/cmd/weir/linked.go", "Keep: keepOutbox,", "Keep: map[bool]float64{false: keepOutbox}[p.site.Role == roleAgent],"},
			},
		},
		{
			Name: "mark instead of set", Does: "a gateway keeps the highest number applied of a producer, not the set of numbers",
			Caught: []string{"cuts"}, Fast: true,
			Patches: []Patch{{
				"services/gateway/fold.go",
				"	st := s.add(c)\n",
				"	if s.newest != nil && c.N < s.newest.n {\n\t\tf.repeats++\n\t\treturn nil, nil\n\t}\n\tst := s.add(c)\n",
			}},
		},
		{
			Name: "one in a thousand dropped", Does: "about one in a thousand readings is not folded, and not counted anywhere",
			Caught: []string{"calm"}, Fast: true,
			Patches: []Patch{{
				"services/aggregator/fold.go",
				"	d.lastSeen = f.now\n",
				"	if t/1e6%997 == 0 {\n\t\treturn\n\t}\n\td.lastSeen = f.now\n",
			}},
		},
		{
			Name: "window by arrival", Does: "records fall into windows by the time at which they arrived",
			Caught: []string{"calm"}, Fast: true,
			Patches: []Patch{{
				"services/aggregator/fold.go",
				"t, n := f.in.EventTime[i], uint64(end-first)",
				"t, n := f.in.IngestTime[i], uint64(end-first)",
			}},
		},
		{
			Name: "epoch ignored", Does: "a gateway knows entries by their number alone, whatever their epoch",
			Caught: []string{"wipe"},
			Patches: []Patch{{
				"services/gateway/producer.go",
				"	s := p.spaces[e]\n\tif s == nil &&",
				"	e = schemas.Epoch{}\n\ts := p.spaces[e]\n\tif s == nil &&",
			}},
		},
		{
			Name: "metadata not synced", Does: "nothing syncs the file system after streams are made",
			Caught: []string{"power-early"},
			Patches: []Patch{{
				"services/internal/bus/sync.go",
				"	if b.dir == \"\" {",
				"	if true {",
			}},
		},
		{
			Name: "messages not synced", Does: "the class durable syncs once a second, as fast does",
			Caught: []string{"power-durable"},
			Patches: []Patch{{
				"services/internal/bus/durability.go",
				"o.SyncInterval, o.SyncAlways = fastSync, true",
				"o.SyncInterval = fastSync",
			}},
		},
		{
			Name: "checkpoints without a fence", Does: "a gateway that wakes up puts its old checkpoint in front of the newer one",
			Test: Test{"services/internal/fold", "TestOldStateStaysBehind"}, Fast: true,
			Patches: []Patch{{
				"services/internal/fold/statelog.go",
				"if other.InLast > inLast {",
				"if false {",
			}},
		},
	}
}
