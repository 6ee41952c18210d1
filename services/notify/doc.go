// Package notify tells people's tools of findings: webhooks and Alertmanagers.
//
// In: the findings in the outbox of one tier, and the receivers that the policy of the
// tier names. Out: HTTP requests.
//
// Promises: a receiver is told of every finding that it wants, as it stands when it is
// told: that it is open, that it has become more severe, that it is over. What could
// not be told is told later, from a cursor in the bucket NOTIFY, also after a restart;
// it may then be told twice, with the same ids. A receiver that hangs or fails holds up
// nobody else: each has a goroutine, a time-out and a pause of its own that grows with
// each failure. No receiver gets more messages a minute than its rate; what waits is
// told together. An Alertmanager is sent what is open again and again, until it is over.
//
// Limits: who is away for longer than the outbox holds is told of what is open, and how
// many entries it has missed. 10,000 findings of a receiver wait in memory; then its
// reading waits.
//
// The core is queue (queue.go), with the messages in webhook.go and alertmanager.go;
// service.go and http.go are the shell. Goroutines: Run follows policy; for each
// receiver one that reads and one that tells.
package notify
