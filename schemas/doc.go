// Package schemas is the contract between Weir's parts: the types that travel,
// their codecs, the subjects and streams they travel on, the identity of a
// record, the ledger's vocabulary and the JSON shapes that other people's tools
// rely on.
//
// In: values of these types, and bytes from peers that need not be trusted.
// Out: bytes and values; decoders check every length before they allocate and
// never panic.
//
// Promises: each format starts with a version byte and is described as bytes in
// its own file (frame_codec.go, commit_codec.go, checkpoint.go), has golden
// files under testdata and a fuzz test. A newer major version is an error of
// type *NewerVersionError, never a guess. Encoding is deterministic: equal
// values give equal bytes.
//
// The policy document, which people write, is JSON: [ParsePolicy] makes a
// complete [Policy] of it or says everything that is wrong with it. Its schema
// is policy.schema.json.
//
// Limits: no I/O, no clock, no randomness; it imports nothing else of Weir.
// Times are int64 nanoseconds since the Unix epoch, UTC, unless a name says
// otherwise.
package schemas
