package aggregator

import "weir/schemas"

// news is what detectors learn from the next commit, beside its values.
type news struct {
	resumed  bool // ingest has started anew
	document bool // the policy document in force is to be told
}

// hear notes what a frame has for detectors. After a start the document is told
// again, so that a detector that has just been put to work learns of it.
func (n *news) hear(in *schemas.Frame) {
	n.resumed = n.resumed || in.Resumed
	n.document = n.document || in.Resumed || in.Config != nil
}

// config is the document to tell; nil: none, or what is built in.
func (f *Fold) config() *schemas.Config {
	g := f.newest()
	if !f.news.document || g.document == nil {
		return nil
	}
	return &schemas.Config{Revision: g.revision, From: g.from, Document: g.document}
}
