// Package sights judges how soon users see windows.
//
//	seen, err := sights.Watch(out)          // the output of weir windows --follow -o json, and when each line came
//	windows, err := sights.ByWindow(seen)
//	late := sights.Delays(windows, due, func(w sights.Shown) bool { … }) // of the windows that count
//	fmt.Println(sights.SpreadOf(late, wanted))
//
// In: lines of windows, until their end. Out: delays, sorted, and their spread.
//
// Promises: a window is seen when the first line comes that holds all the records
// it ever held. What lines say is read when all have come, so that reading one
// delays no other.
//
// Limits: it keeps every line.
package sights
