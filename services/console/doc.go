// Package console is the face for people and their tools: a query API over HTTP,
// /metrics for Prometheus, and one static page.
//
// In: commits in the outboxes of regions and center; answers of the other
// services over the bus; policy documents in KV. Out, over HTTP:
//
//	GET /api/v1/ledger        one object: the balance (schemas.Ledger), lag_seconds, checked_tiers
//	GET /api/v1/line          the balance as one line of text
//	GET /api/v1/windows       JSON lines, a schemas.WindowRow each: the newest revision of every window
//	GET /api/v1/late          JSON lines, a schemas.LateRow each: what came too late for a view, by key and event hour;
//	                          without a tier: of device views at their regions and of the others at the center
//	GET /api/v1/devices       JSON lines, a schemas.Device each
//	GET /api/v1/findings      JSON lines, a schemas.FindingRow each: what is abnormal, oldest first
//	GET /api/v1/parked        JSON lines: samples of refused messages
//	GET /api/v1/policy[?key=] the document in force: all layers up to key, default if none is named
//	GET /api/v1/policy/KEY    the document stored as default or agent.NAME
//	PUT /api/v1/policy/KEY    stores a valid document; needs the operator's password
//	GET /api/v1/version       versions of the program and of its formats
//	GET /metrics /livez /readyz[?verbose] /
//
// windows and late take tier (region or center), view, tenant, device,
// device_prefix, metric, from and to (RFC 3339, a day or a day and time in UTC, Unix
// nanoseconds, or a duration: so long ago), final, limit (the newest N), detail and
// follow. A window is in [from, to) if it overlaps it. With detail each row has its digest (16 hex
// digits), late count, first and last, and the answer ends with
// {"end":true,"windows":N}, so that a torn answer is seen. With follow the answer
// goes on with every change until the client leaves.
//
// findings takes tier (agent, region or center; the highest that is here unless told),
// tenant, device, metric, kind, severity (at least), open, parts (also those that are part of a finding of many
// devices, which are left out unless a device is named), limit (the newest N) and
// follow: then it goes on with every revision until the client leaves.
//
// Errors are {"error":"…"} with status 400 (the question), 401 (the password),
// 404, 422 (an invalid document) or 503 (nobody who knows answers).
//
// Promises: what is shown of a window is the sum of the newest revisions of all
// its parts, as of the end of the stream when asked, however late they were written.
// A question reads the messages that hold its answer and their neighbors, not what
// lies between (index.go); the first one that reaches further back than all before
// reads once what lies between there and then. Memory per question is bounded by
// questionRoom, an index by indexSpans, questions at once by maxQueries; an answer
// whose client does not read for half a minute ends. The cumulative histograms of
// /metrics add the increase of every revision once.
//
// Goroutines:
//
//	server     net/http, one per connection; fed by the listener; ends with Run
//	follower   owns the exporter of /metrics; reads CENTER_OUTBOX; ends with Run
//
// Limits: a window is found by the time at which its revisions were stored, which
// is at most two minutes before its start: a clock stepped further than that hides
// windows from narrow questions, until somebody has asked a wide one. Writing is for loopback
// clients that know the operator's password.
package console
