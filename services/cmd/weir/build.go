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

// release is set by the linker in packages: -X main.release=1.2.3.
var release string

func thisBuild() build {
	b := build{Version: cmp.Or(release, "devel")}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	b.GoVersion = info.GoVersion
	if v := info.Main.Version; release == "" && v != "(devel)" {
		b.Version = cmp.Or(v, b.Version)
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			b.Revision = s.Value
		}
	}
	return b
}
