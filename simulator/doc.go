// Package simulator plays devices from outside the product and keeps the ground
// truth, so that a verifier can prove that nothing was lost or doubled.
//
//	summary, err := simulator.Run(ctx, options, progress)    // weir sim
//	report, err := simulator.Verify(ctx, verifyOptions, out) // weir verify
//	err := simulator.Pump(ctx, url, tenant)                  // one more device of weir up
//
// In: options, and a product that answers MQTT 3.1.1 or NATS. Out: readings on
// the wire, a truth file, a Summary. Of ours it imports schemas only: names,
// subjects and the record identity.
//
// Promises: what is sent is a function of seed and run tag (package plan). A
// reading is never dropped in silence: it is sent, or the truth says that it was
// not. At QoS 1 (and with NATS requests) what is not acknowledged is sent again
// with the same number until it is, or the drain time is over.
//
// Errors have types: *OptionsError (a usage error), *UnreachableError,
// *NotEqualError (from Verify); anything else failed while running.
//
// Goroutines of a run:
//
//	name      owns                              stops when
//	Run       the truth file and the progress   the run is over
//	player    the schedule of its devices       its devices are settled, or Run says so
//	session   one MQTT connection, or one       Run cancels it
//	          NATS connection of many devices
//
// Limits: one metric per reading, but for Pump, of which no truth is kept; no commands, no MQTT 5. Over TLS a connection
// that takes nothing holds up the other devices of its player.
package simulator
