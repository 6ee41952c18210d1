// Package users knows who may connect: devices, and the agents and gateways
// that link from below.
//
//	u, warnings, err := users.Load("/etc/weir/users.yaml")
//	grant, err := u.Authenticate(users.Attempt{Name: "pump-1", Password: …, From: …})
//	grant, ok := u.Current("pump-1")   // what the user may do as of now
//	u.List()                           // for a NATS server, which checks by itself
//	err = u.Follow(ctx, changed, log)  // reads the file again whenever it changes
//
// In: a YAML or JSON file of names, bcrypt hashes and rights; docs/users.md is
// its reference. Out: grants, or a Refusal that says why.
//
// Promises: a file with any mistake in it changes nothing; each mistake is named
// with its line. No password and no hash is ever part of an error or a warning.
// Hashing takes half of the processors at most, however many connect at once,
// and an address that has guessed wrong a few times is made to wait. A password
// that was right once is known again in a microsecond, until its entry changes.
//
// Limits: names are no secret: an unknown one is refused at once. What was found
// right is remembered in memory only, so the first connections after a start
// cost a hash each; docs/users.md says what that means for the cost to choose.
package users
