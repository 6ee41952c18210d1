package main

import (
	"context"

	"weir/schemas"
	"weir/services/internal/bus"
	"weir/services/internal/datadir"
)

// This file is about the room that a process with a server of its own takes on
// its disk, and what it says of it.

// fit is the caps of streams that are not as declared, because the disk has no
// room for that.
type fit map[string]int64

// streams are streams with these caps.
func (f fit) streams(all []schemas.Stream) []schemas.Stream {
	for i := range all {
		if c, ok := f[all[i].Name]; ok {
			all[i].MaxBytes = c
		}
	}
	return all
}

// capOf is the cap of a stream; 0: it is not among them.
func capOf(streams []schemas.Stream, name string) int64 {
	for _, s := range streams {
		if s.Name == name {
			return s.MaxBytes
		}
	}
	return 0
}

// fitDisk compares the caps of the streams with the room that there is, shrinks
// them where they do not fit, and makes the reserve.
func (in *instance) fitDisk() error {
	dir := in.folder.Dir
	reserve := datadir.ReserveOf(dir)
	volume, err := datadir.RoomOf(dir)
	if err != nil {
		return err
	}
	streams := in.site.streamsOf(in.folder.Shape)
	stored := bus.Stored(dir, schemas.DefaultPrefix)
	caps := make([]datadir.Cap, len(streams))
	for i, s := range streams {
		caps[i] = datadir.Cap{Bytes: s.MaxBytes, Used: stored[s.Name]}
	}
	room := volume.Free + reserve.Held()
	plan := datadir.FitCaps(caps, room)
	if plan.Least > 0 {
		return datadir.NoRoom(dir, room, plan.Least)
	}
	in.site.fit = fit{}
	for i, s := range streams {
		in.site.fit[s.Name] = plan.Caps[i]
	}
	if plan.Shrunk() {
		in.log.Warn("the disk has no room for the caps of the streams: they are smaller for now", "free_mb", room>>20,
			"wanted_mb", plan.Wanted>>20, "caps_mb", plan.Sum()>>20, "reserve_mb", plan.Reserve>>20)
	}
	in.reserve = plan.Reserve
	if err := reserve.Make(plan.Reserve); err != nil {
		in.log.Warn("there is no reserve for now", "err", err)
	}
	return nil
}

// guardServer keeps the server of the process working from now on.
func (in *instance) guardServer(ctx context.Context) error {
	if in.server == nil {
		return nil
	}
	dir := in.folder.Dir
	in.plant.durability = string(in.server.Durability())
	in.guard = &guard{
		server: in.server, reserve: datadir.ReserveOf(dir), size: in.reserve, log: in.log,
		free: func() (int64, error) {
			room, err := datadir.RoomOf(dir)
			return room.Free, err
		},
		replace: func() error {
			in.screen.leave()
			return replaceProcess()
		},
	}
	in.services.Start("disk", in.guard)
	_, err := in.bus.Answer(ctx, schemas.Ask("server", "status"), in.log, func(context.Context, []byte) (any, error) {
		return in.diskStatus(), nil
	})
	return err
}

// diskStatus is what the process tells of its server and its disk, on the subject
// Ask("server", "status").
type diskStatus struct {
	Durability string `json:"durability"`
	Restarts   uint64 `json:"server_restarts"`    // since the process began
	Free       int64  `json:"disk_free_bytes"`    // on the volume
	Reserve    int64  `json:"disk_reserve_bytes"` // held
	Needed     int64  `json:"disk_needed_bytes"`  // that must be free for a restart
	Damaged    int    `json:"damaged"`            // places in the store that could not be read at a start
	Lost       uint64 `json:"lost_messages"`      // at most so many were in them
}

func (in *instance) diskStatus() diskStatus {
	g := in.guard
	damaged, lost := in.server.Damage()
	return diskStatus{
		Durability: string(in.server.Durability()), Restarts: in.server.Restarts(),
		Free: g.room.Load(), Reserve: g.reserve.Held(), Needed: g.needed(), Damaged: damaged, Lost: lost,
	}
}
