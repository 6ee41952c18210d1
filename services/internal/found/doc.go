// Package found is what all stages that keep findings do alike: those that are over,
// how many were opened, what several have in common, and their place in a checkpoint.
//
// In: findings, as schemas has them. Out: lists, counts, attributes, bytes of a state.
//
// Promises: everything is a function of what came in, in its order. No goroutines.
//
// Limits: nothing here bounds Counts, whose rows are bounded by tenants.
package found
