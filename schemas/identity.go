package schemas

import (
	"encoding/binary"
	"math"

	"github.com/cespare/xxhash/v2"
)

// The identity of a record is a 64-bit hash of what makes it that record: with
// a number, (tenant, device, boot, metric, seq); without one, (tenant, device,
// boot, metric, event time, value bits). A window's digest is the sum of the
// identities in it modulo 2^64, so that digests add like counts and equality
// proves the exact multiset of records (chance of error 2^-64).
//
//	series  = xxhash64(len tenant, tenant, len device, device, len boot, boot, len metric, metric)   lengths as uvarint
//	numbered    = mix(series ^ mix(seq + 0x9e3779b97f4a7c15))
//	unnumbered  = mix(series ^ mix(time + 0xd1b54a32d192ed03) ^ mix(valuebits + 0x8cb92ba72f3d8dd7))
//
// mix is the 64-bit finalizer of MurmurHash3 (Appleby, public domain).

// SeriesIdentity hashes the part of a record's identity that its series and
// boot share, so that a fold computes it once per series. Without a boot, boot
// is empty.
func SeriesIdentity(tenant, device, boot, metric string) uint64 {
	var buf [4*binary.MaxVarintLen64 + 3*MaxNameLen + MaxMetricLen]byte
	b := buf[:0]
	for _, s := range [4]string{tenant, device, boot, metric} {
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	return xxhash.Sum64(b)
}

// NumberedIdentity is the identity of record seq of a series.
func NumberedIdentity(series, seq uint64) uint64 {
	return mix64(series ^ mix64(seq+0x9e3779b97f4a7c15))
}

// UnnumberedIdentity is the identity of a record whose device numbers nothing.
func UnnumberedIdentity(series uint64, eventTime int64, value float64) uint64 {
	return mix64(series ^ mix64(uint64(eventTime)+0xd1b54a32d192ed03) ^ mix64(math.Float64bits(value)+0x8cb92ba72f3d8dd7))
}

// HashName hashes a name for placing it: devices on agents, agents on
// partitions. It never changes: a data folder depends on it.
func HashName(s string) uint64 { return xxhash.Sum64String(s) }

// Partition is the partition of an agent within its region: hash mod 16, fixed.
//
// What the detectors of a region find goes to partition 0, so that one gateway sees
// what has one cause.
func Partition(agent string) int {
	if _, detector := CutDetector(agent); detector {
		return 0
	}
	return int(HashName(agent) % Partitions)
}

// AgentOf places a device on one of n logical agents.
func AgentOf(tenant, device string, n int) int {
	if n <= 1 {
		return 0
	}
	return int(mix64(xxhash.Sum64String(tenant)+3*xxhash.Sum64String(device)) % uint64(n))
}

// Before is the tie order of first, last and exemplars: by event time, then by
// identity, so that every order of arrival picks the same record.
func Before(timeA int64, idA uint64, timeB int64, idB uint64) bool {
	if timeA != timeB {
		return timeA < timeB
	}
	return idA < idB
}

func mix64(h uint64) uint64 {
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	h ^= h >> 33
	return h
}
