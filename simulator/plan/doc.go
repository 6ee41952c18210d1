// Package plan says what every simulated device sends and when: record i of
// device d is a pure function of the seed, the run tag, d and i.
//
// Pump (pump.go) is a device beside them, of which no truth is kept.
//
// In: a Spec. Out: messages with their fate (normal, late, a copy, malformed …),
// event times, values, payload bytes and record identities.
//
// Promises: the same Spec gives the same messages, on every machine. Values are
// multiples of 2^-10 below 2^20, so that their sums are exact in any order.
// Event times are whole milliseconds. Whether the product must count a record,
// call it late or refuse it follows from its fate alone, never from luck.
//
// Limits: no I/O, no clock, no chance. A message's first number is known only to
// who walks the device's messages from the first one: use a Cursor.
package plan
