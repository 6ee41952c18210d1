package console

import "weir/schemas"

// What is exported of the embedded server and its disk, by whoever runs one.
var (
	restartsDesc    = describe("weir_server_restarts_total", "counter", "Times that the process started its embedded NATS server again, as after a full disk.")
	diskFreeDesc    = describe("weir_disk_free_bytes", "gauge", "Free on the volume of the data folder, besides the reserve.")
	diskNeededDesc  = describe("weir_disk_needed_bytes", "gauge", "What must be free there for a server whose disk is full to start again.")
	diskReserveDesc = describe("weir_disk_reserve_bytes", "gauge", "Held on the volume for the day on which others fill it. 0: it was given up, or there was never room for it.")
	damageDesc      = describe("weir_store_damaged", "gauge", "Places in the store that could not be read when the process began.")
	lostDesc        = describe("weir_store_lost_messages", "gauge", "Messages that were in them, at most.")
)

// serverDescs lists them all.
var serverDescs = []*described{restartsDesc, diskFreeDesc, diskNeededDesc, diskReserveDesc, damageDesc, lostDesc}

// askServer is where the process that runs the server tells how it is.
var askServer = schemas.Ask("server", "status")

// serverStatus is what it tells.
type serverStatus struct {
	Restarts uint64 `json:"server_restarts"`
	Free     int64  `json:"disk_free_bytes"`
	Needed   int64  `json:"disk_needed_bytes"`
	Reserve  int64  `json:"disk_reserve_bytes"`
	Damaged  int    `json:"damaged"`
	Lost     uint64 `json:"lost_messages"`
}

// server sends how the server is, where somebody knows.
func (out sink) server(s *serverStatus) {
	if s == nil {
		return
	}
	out.counter(restartsDesc, s.Restarts)
	out.gauge(diskFreeDesc, float64(s.Free))
	out.gauge(diskNeededDesc, float64(s.Needed))
	out.gauge(diskReserveDesc, float64(s.Reserve))
	out.gauge(damageDesc, float64(s.Damaged))
	out.gauge(lostDesc, float64(s.Lost))
}
