package main

import (
	"cmp"
	"runtime/debug"
)

// build is what the program knows about itself.
type build struct {
	Version   string // a release, or "devel"
	Revision  string // the commit it was built from; empty if unknown
	GoVersion string
}

func thisBuild() build {
	b := build{Version: "devel"}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	b.GoVersion = info.GoVersion
	if v := info.Main.Version; v != "(devel)" {
		b.Version = cmp.Or(v, b.Version)
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			b.Revision = s.Value
		}
	}
	return b
}
