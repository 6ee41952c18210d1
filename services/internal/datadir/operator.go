package datadir

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

const operatorFile = "operator.json"

// Operator is how operators, this program's own commands among them, sign in
// to the embedded server. The file has the form of a context of the nats
// command: `nats --context DIR/operator.json kv put …`.
type Operator struct {
	Description string `json:"description"`
	URL         string `json:"url"` // empty before the server listens
	User        string `json:"user"`
	Password    string `json:"password"`
}

// ReadOperator reads credentials from a file of that form.
func ReadOperator(name string) (o Operator, err error) {
	data, err := os.ReadFile(name)
	if err == nil {
		err = json.Unmarshal(data, &o)
	}
	if err == nil && (o.User == "" || o.Password == "") {
		err = errors.New("no user or no password in it")
	}
	if err != nil {
		return Operator{}, fmt.Errorf("read operator credentials: %w", err)
	}
	return o, nil
}

// operator reads a folder's credentials, or makes them at its first start.
func operator(dir string) (Operator, error) {
	name := filepath.Join(dir, operatorFile)
	o, err := ReadOperator(name)
	if !errors.Is(err, fs.ErrNotExist) {
		return o, err
	}
	o = Operator{Description: "operator of the weir in " + dir, User: "operator", Password: rand.Text()}
	return o, writeJSON(name, 0o600, o)
}
