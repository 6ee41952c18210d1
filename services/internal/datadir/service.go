package datadir

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// serviceFile is how processes that join the folder's server sign in to it: with
// the services' rights. It has the form of the operator's file.
const serviceFile = "service.json"

// Service reads a folder's credentials for services, or makes them at its first
// start.
func (f *Folder) Service() (Operator, error) {
	name := f.ServiceFile()
	o, err := ReadOperator(name)
	if !errors.Is(err, fs.ErrNotExist) {
		return o, err
	}
	o = Operator{Description: "services of the weir in " + f.Dir, User: "service", Password: rand.Text()}
	return o, writeJSON(name, 0o600, o)
}

// ServiceFile is where they are.
func (f *Folder) ServiceFile() string { return f.path(serviceFile) }

// memberFile is what tells this folder's process from all others.
const memberFile = "member.id"

// MemberID tells the process of this folder from all others that live: it is made
// at the folder's first start and stays, since the folder's lock lets one process at
// a time have it.
func (f *Folder) MemberID() (string, error) {
	name := f.path(memberFile)
	id, err := os.ReadFile(name)
	if err == nil && len(id) > 0 {
		return string(id), nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("read %s: %w", filepath.Base(name), explain(f.Dir, err))
	}
	made := rand.Text()
	return made, os.WriteFile(name, []byte(made), 0o600)
}
