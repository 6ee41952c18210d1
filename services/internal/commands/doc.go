// Package commands brings commands to the sessions of devices, and keeps them
// while a device is away.
//
//	desk := commands.New(commands.Config{Named: users.Names}, commands.NewStream(bus, "a001"), log)
//	err := desk.Load(ctx)                          // what an earlier process has kept
//	go desk.Run(ctx)
//	desk.Take(commands.Message{Subject: "cmd.acme.pump-1", Data: …, Reply: …})
//
//	link, granted := desk.Attach(commands.Hello{Client: "c1", User: "pump-1", Keep: time.Hour, …}, conn)
//	link.Subscribe(commands.Device{"acme", "pump-1"}, 1) // stored when it returns
//	link.Begin()                                   // from here on conn is handed commands
//	link.Acked(id, true)
//	link.Detach()
//
// In: messages on cmd.<tenant>.<device>; connections with what they subscribe to
// and acknowledge. Out: deliveries, one at a time per connection; a reply to
// whoever wants one; counts of what became of every command.
//
// Promises:
//   - A command goes to sessions that subscribe to this very device, and to no
//     other. Who may subscribe is the caller's to judge.
//   - At QoS 1 a session that outlives its connections gets each command at least
//     once, over the death of the device, of the connection and of this process.
//     At QoS 0 it comes at most once.
//   - A positive reply that says kept is given after the command is in the store.
//   - A connection that takes nothing holds up neither Take nor another connection.
//   - Memory is bounded: commands per device, bytes over all, sessions, what waits
//     to be looked at.
//   - Every command has one outcome, counted once: delivered (a device has
//     confirmed it, or it was written at QoS 0), expired, or dropped for a Reason.
//
// Where several sessions subscribe to one device each gets the command, and it is
// delivered when the first has. A device that Named knows has its commands kept
// though it has no session; its next one gets them. A session's time away is
// counted by the monotonic clock and anew after a restart, so a wall clock that
// jumps ends no session.
//
// Does not: route anything between devices, or keep what is published while
// nobody listens to cmd.>: who must know asks for a reply.
//
// Goroutines, all joined by Run:
//
//	clerk    takes messages in order: stores them and hands them out
//	keeper   once a second: forgets in the store what is done, ends old sessions
//	pump     one per connection while there is something for it
package commands
