// Package backlog makes a journal that no fold has read yet, so that catching up
// can be measured without hours of devices.
//
// In: the data folder of a weir up that has run once and has ended, and the
// devices to play. Out: the same folder, whose journal holds what ingest would
// have written under these devices, and whose other streams are empty.
//
// Promises: frames are numbered, fenced, cut and ticked as ingest does it where
// nobody waits for an answer: one for each agent and tenth of a second, a tick at
// least every 300 ms. Readings come from package plan, one per message, numbered
// and with a boot, in time order and never late. Each agent's first frame holds
// the policy document of the first start. After the last reading the ticks go on
// for as long as it takes the last windows to come out, so that a fold that has
// caught up has nothing in flight. The server that reads the folder next has no
// index of the journal, as after a kill.
//
// Limits: the clock of the journal is in the past, and it ends some minutes ago.
package backlog
