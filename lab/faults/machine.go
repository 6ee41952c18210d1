package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"weir/lab/faults/scenario"
	"weir/lab/harness"
)

// needs says what a scenario needs that this machine does not have; empty: it can
// run. What it needs is tried: root in a container may often do less than root.
func needs(s *scenario.Scenario) string {
	var err error
	if len(s.Topology.Volumes) > 0 {
		err = errors.Join(err, canMount())
	}
	if s.Topology.Network == scenario.Namespaces {
		err = errors.Join(err, canNamespace())
	}
	if len(s.Topology.Limits) > 0 {
		err = errors.Join(err, harness.CheckLimits())
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

// canMount mounts a small file system, cuts its power, and takes it away.
func canMount() error {
	dir, err := os.MkdirTemp("", "weir-faults-mount-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	image, point := filepath.Join(dir, "image"), filepath.Join(dir, "point")
	if err := errors.Join(os.WriteFile(image, nil, 0o600), os.Truncate(image, 4<<20), os.Mkdir(point, 0o755)); err != nil {
		return err
	}
	for _, command := range [][]string{{"mkfs.ext4", "-q", image}, {"mount", "-o", "loop", image, point}} {
		if err := canDo(command...); err != nil {
			return fmt.Errorf("file systems of its own (root, loop devices, ext4): %w", err)
		}
	}
	return errors.Join(shutdown(point), canDo("umount", point))
}

// canNamespace makes a network namespace and takes it away.
func canNamespace() error {
	name := fmt.Sprintf("w%d-try", os.Getpid()%100_000)
	for _, command := range [][]string{{"tc", "-V"}, {"nsenter", "-V"}, {"ip", "netns", "add", name}, {"ip", "netns", "delete", name}} {
		if err := canDo(command...); err != nil {
			return fmt.Errorf("network namespaces (root, iproute2): %w", err)
		}
	}
	return nil
}

// canDo runs a program; an error says what it said.
func canDo(command ...string) error {
	out, err := exec.Command(command[0], command[1:]...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", command[0], err, firstLine(string(out)))
	}
	return nil
}
