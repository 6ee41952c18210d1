package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"weir/schemas"
)

// Keys of the bucket POLICY, one document each.
const (
	DefaultKey   = "default"
	regionPrefix = "region."
	groupPrefix  = "group."
	agentPrefix  = "agent."
)

// RegionKey is the key of the layer of a region's agents.
func RegionKey(region string) string { return regionPrefix + region }

// GroupKey is the key of the layer of a group's agents.
func GroupKey(group string) string { return groupPrefix + group }

// AgentKey is the key of an agent's own layer.
func AgentKey(agent string) string { return agentPrefix + agent }

// CheckKey says what is wrong with a key of the bucket.
func CheckKey(key string) error {
	if key == DefaultKey {
		return nil
	}
	kind, name, _ := strings.Cut(key, ".")
	var err error
	switch kind + "." {
	case regionPrefix:
		err = schemas.CheckRegion(name)
	case groupPrefix:
		err = schemas.CheckName("group", name)
	case agentPrefix:
		err = schemas.CheckName("agent", name)
	default:
		err = fmt.Errorf("there is no such layer: use %s, %sNAME, %sNAME or %sNAME", DefaultKey, regionPrefix, groupPrefix, agentPrefix)
	}
	if err != nil {
		return fmt.Errorf("policy key %.100q: %w", key, err)
	}
	return nil
}

// Place is where an agent stands among the layers.
type Place struct {
	Region string // empty: none
	Group  string // empty: none
}

// LayersOf are the keys of an agent's layers, lowest first: each changes what
// those before it say.
func (p Place) LayersOf(agent string) []string {
	keys := append(make([]string, 0, 4), DefaultKey)
	if p.Region != "" {
		keys = append(keys, RegionKey(p.Region))
	}
	if p.Group != "" {
		keys = append(keys, GroupKey(p.Group))
	}
	return append(keys, AgentKey(agent))
}

// check says which name of the place is none.
func (p Place) check() error {
	if p.Region != "" {
		if err := schemas.CheckRegion(p.Region); err != nil {
			return err
		}
	}
	if p.Group != "" {
		return schemas.CheckName("group", p.Group)
	}
	return nil
}

// byLayer orders keys by their layers, lowest first, then by name.
func byLayer(a, b string) int {
	return cmp.Or(cmp.Compare(depth(a), depth(b)), strings.Compare(a, b))
}

// depth is a key's place among the layers, from 0.
func depth(key string) int {
	kind, _, _ := strings.Cut(key, ".")
	return slices.Index([]string{DefaultKey, "region", "group", "agent"}, kind)
}
