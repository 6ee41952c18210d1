// Package ingest turns bytes from connections into readings, applies rules and
// limits, and journals frames of them for the logical agents of this process.
//
//	s, err := ingest.New(ingest.Config{Agents: []string{"a1"}, MQTT: "127.0.0.1:1883"},
//		ingest.Deps{Log: bus, Telemetry: …, Park: bus.Publish, Used: …, Users: …, Commands: …, Logger: …})
//	go s.Run(ctx)                                  // resumes the journals, then waits for a policy
//	err = s.SetConfig(ctx, map[string]ingest.AgentConfig{                     // journals it; once every
//		"a1": {Config: schemas.Config{…}, Settings: ingest.DefaultSettings()}, // agent has one, the listeners open
//	})
//	<-s.Ready(); s.Addr(); s.Status(); s.Devices("a1") // at any time
//
// A Subscriber is the bus with its requests turned into messages:
//
//	func (t telemetry) Subscribe(subject string, pending int, handle func(ingest.Message)) (func(), error) {
//		return t.bus.Subscribe(subject, pending, func(r bus.Request) {
//			m := ingest.Message{Subject: r.Subject, Data: r.Data}
//			if r.WantsReply() {
//				m.Reply = r.Reply
//			}
//			handle(m)
//		})
//	}
//
// In: MQTT 3.1.1 and 5 at QoS 0 and 1 on a listener of its own, with TLS where it
// is configured; OTLP over gRPC and HTTP; NATS publishes and requests on tel.>,
// commands on cmd.>; policy documents. docs/readings.md is the reference of what
// devices send and get back, docs/otlp.md of OTLP, docs/users.md of who may connect
// and of commands.
//
// Out: frames on weir.journal.<agent>; a PUBACK or a reply per message that
// somebody waits for; samples of refused messages on weir.parked.<agent>.<tenant>;
// commands to the MQTT sessions of their device, by services/internal/commands.
//
// Promises:
//   - A positive answer is given after the frame is in the journal.
//   - Every record that arrives has one outcome here: it is in a frame's columns,
//     or in a frame's ledger rows with stage, outcome and reason (agent.book).
//   - Frame numbers are dense, one frame of an agent is in flight, and a second
//     writer is found out before it can do harm.
//   - Every frame carries the agent's time, which never steps and never goes back,
//     over restarts and kills too.
//   - Identity comes from the subject or topic, and from what the connection's
//     user is granted; never from a payload. Once a user is gone or has other
//     rights, its connections are, within Config.RecheckEvery.
//   - A connection that is slow, in a TLS handshake, in saying who it is or in
//     reading, holds up no other.
//   - Memory is bounded under any input: payloads, nesting, devices, series,
//     tenants, routes, connections, unacknowledged messages and waiting frames;
//     of OTLP the requests at the same time, from before their bodies are read.
//
// A record is one metric of one reading. A payload that is refused as a whole
// (undecodable, too large, too deep, too many readings, bad subject,
// unsupported) is one record. Spans and log records come as OTLP requests, of which
// each span and log record is one. A reading that is refused as a whole (bad time,
// seq, boot or attributes, future, too many metrics, no values) is as many
// records as it has good metrics, at least one; a bad metric name or value
// refuses that record only. A name that comes twice in a reading is refused the
// second time.
//
// Does not: window, deduplicate or route anything. What is in memory when the
// process dies was not acknowledged and is in no count. Numbers of shed readings
// are not noted: a full journal must not fill up with them.
//
// Goroutines, all joined by Run:
//
//	writer       one per agent; owns the frame in flight; until all is written
//	listener     accepts MQTT connections; until Run's context ends
//	connection   two per MQTT connection, reading it; until it closes
//	postman      four, writing PUBACKs; until the connections are closed
//	hurry        one, closing connections that take no PUBACKs
//	recheck      one where there are users, closing connections of those who are gone
//	desk         those of commands.Desk, where there are commands
//	OTLP         those of its servers, and one per gRPC request while its body comes
//
// Messages over NATS are taken on the subscriber's goroutine.
package ingest
