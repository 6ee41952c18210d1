// Command shake runs a go command on sources of the product whose goroutines pause
// by chance wherever one lets another go on. What is right only because it is
// usually quick enough goes wrong then.
//
//	go run ./lab/shake test -count=1 ./services/... ./simulator/...
//	SHAKE_SEED=42 go run ./lab/shake test -race -run TestX ./services/ingest
//	go run ./lab/shake build -o bin/shaken ./services/cmd/weir
//
// In: the sources of services and simulator below the folder where it runs; arguments
// of the go command; SHAKE_SEED and SHAKE_CHANCE, in percent, which what is built reads
// (package pause). Out: what the go command says, and its exit code.
//
// Promises: the sources are only read (go build -overlay), tests stay as they are, and
// line numbers stay right.
//
// Limits: places are known by names of functions and methods, not by types, so some
// places pause that let nobody go on. More chance does not find more: where what a
// test calls to look pauses too, it looks too late.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// folders are those whose sources have goroutines.
var folders = []string{"services", "simulator"}

func main() {
	err := run(os.Args[1:])
	if ended, ok := errors.AsType[*exec.ExitError](err); ok {
		os.Exit(ended.ExitCode())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "shake:", err)
		os.Exit(2)
	}
}

func run(args []string) error {
	if len(args) == 0 {
		return errors.New("no go command: go run ./lab/shake test ./services/ingest")
	}
	dir, err := os.MkdirTemp("", "weir-shake-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	overlay, err := shakeAll(dir)
	if err != nil {
		return fmt.Errorf("shake the sources: %w", err)
	}
	cmd := exec.Command("go", append([]string{args[0], "-overlay", overlay}, args[1:]...)...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	return cmd.Run()
}

// shakeAll writes shaken copies of all sources to a folder, and the list of them
// that the go command reads.
func shakeAll(dir string) (overlay string, err error) {
	sources, err := readSources(folders)
	if err != nil {
		return "", err
	}
	replace := map[string]string{}
	for i, text := range shake(sources) {
		original, err := filepath.Abs(sources[i].name)
		if err != nil {
			return "", err
		}
		replace[original] = filepath.Join(dir, strconv.Itoa(i)+".go")
		if err := os.WriteFile(replace[original], text, 0o644); err != nil {
			return "", err
		}
	}
	list, err := json.Marshal(map[string]any{"Replace": replace})
	overlay = filepath.Join(dir, "overlay.json")
	return overlay, errors.Join(err, os.WriteFile(overlay, list, 0o644))
}

// readSources reads all Go files below some folders, less the tests.
func readSources(folders []string) (sources []*source, err error) {
	for _, folder := range folders {
		err := filepath.WalkDir(folder, func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
				return err
			}
			text, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			s, err := parse(name, text)
			sources = append(sources, s)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return sources, nil
}
