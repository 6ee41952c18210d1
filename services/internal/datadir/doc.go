// Package datadir is the folder in which one Weir process keeps everything.
//
//	weir.json      layout version; owner, agents and regions as at the first start
//	lock           held while a process owns the folder
//	operator.json  name and password for operators; a context file of the nats command; mode 0600
//	run.json       addresses, pid and versions of the running process; there once devices are accepted
//	jetstream/     streams and buckets
//	streams/       copies of what describes the streams
//	reserve        room that is kept for the moment when the disk is full
//	damaged/       what could not be read, as it was found; nothing needs it any more
//
// In: a path and what the process wants to be. Out: a Folder that belongs to
// this process alone until Close, and for other commands the Instances that
// run now.
//
// Promises: a folder of something else, of a newer Weir, of another shape, in
// use, read-only or full is refused with one line that says what to do, and
// nothing in it is changed. A process that was killed leaves a folder that
// opens again. Files that others read are replaced whole, never half written.
//
// Limits: Linux, local file systems. Whoever copies a folder copies its
// identity.
package datadir
