// Package truth keeps what a simulated run knows about its own messages: which
// were sent and settled, which may or may not have arrived, which were never
// sent. With the plan in its header, a truth file says exactly what a product
// must have counted, without holding a single record.
//
// A truth file, version 1, is JSON lines:
//
//	{"format":"weir-truth","version":1,"plan":{…}}                  the header, a plan.Spec
//	{"devices":[0,10000],"acked":[[0,300]],"unknown":[],"never":[[300,301]]}
//	{"end":true,"messages":3000000,"copies":0,"resent":12}          the last line
//
// All intervals are half open. A status line gives the state of the devices
// named, by message number; a later line replaces an earlier one. While a run
// lasts, lines are appended every few seconds and synced. At its end the file is
// written anew, compact: devices with the same status share a line, and the end
// line is there. A message in no interval was never sent; in a file without an
// end line (the simulator was killed) it is unknown.
//
// "acked" means: answered by the product at QoS 1 or request, and at QoS 0
// followed by proof on the same connection that the product had read it.
//
// In: statuses. Out: files and their content. Promises: a file is whole or says
// that it is not; an interval is on disk before anybody is told that it is
// acknowledged. Limits: no clock; one writer per file.
package truth
