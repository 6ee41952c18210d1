package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"weir/services/internal/datadir"
)

// defaultHTTP is where commands ask when no single instance is known.
const defaultHTTP = "127.0.0.1:8080"

// client asks a running instance over HTTP.
type client struct {
	http     string // --http; empty: the only running instance
	operator string // --operator; empty: that of the instance
	running  func() []datadir.Instance
}

func newClient() *client { return &client{running: datadir.Running} }

func (c *client) addFlags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&c.http, "http", "", "URL or address of the instance (default: the only running one of this user, else "+defaultHTTP+")")
}

// base is the URL to ask, and the instance if it is one of this user's.
func (c *client) base() (string, *datadir.Instance, error) {
	running := c.running()
	address := c.http
	if address == "" && len(running) == 1 {
		address = running[0].HTTP
	}
	if address == "" {
		address = defaultHTTP
	}
	if !strings.Contains(address, "://") {
		address = "http://" + address
	}
	u, err := url.Parse(strings.TrimSuffix(address, "/"))
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return "", nil, usageError("--http %q: use a URL like http://127.0.0.1:8080, or host:port", c.http)
	}
	for i := range running {
		if sameAddress(running[i].HTTP, u.Host) {
			return u.String(), &running[i], nil
		}
	}
	return u.String(), nil, nil
}

// sameAddress reports whether two addresses name the same port of this machine,
// or are the same in writing.
func sameAddress(a, b string) bool {
	hostA, portA, errA := net.SplitHostPort(a)
	hostB, portB, errB := net.SplitHostPort(b)
	if errA != nil || errB != nil || portA != portB {
		return a == b
	}
	return hostA == hostB || isThisMachine(hostA) && isThisMachine(hostB)
}

func isThisMachine(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && (ip.IsLoopback() || ip.IsUnspecified())
}

// get asks for a path of the API. The caller closes the answer.
func (c *client) get(ctx context.Context, path string, query url.Values) (io.ReadCloser, error) {
	base, _, err := c.base()
	if err != nil {
		return nil, err
	}
	address := base + path
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, usageError("ask %s: %w", address, err)
	}
	return c.do(r)
}

// getJSON decodes an answer that is one object.
func (c *client) getJSON(ctx context.Context, path string, query url.Values, into any) error {
	body, err := c.get(ctx, path, query)
	if err != nil {
		return err
	}
	defer body.Close()
	if err := json.NewDecoder(body).Decode(into); err != nil {
		return fmt.Errorf("answer to %s: %w", path, err)
	}
	return nil
}

// put sends a document with the operator's password.
func (c *client) put(ctx context.Context, path string, document []byte, into any) error {
	base, instance, err := c.base()
	if err != nil {
		return err
	}
	o, err := c.credentials(instance)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPut, base+path, bytes.NewReader(document))
	if err != nil {
		return usageError("ask %s: %w", base, err)
	}
	r.SetBasicAuth(o.User, o.Password)
	body, err := c.do(r)
	if err != nil {
		return err
	}
	defer body.Close()
	return json.NewDecoder(body).Decode(into)
}

// credentials reads the operator's password from the data folder.
func (c *client) credentials(instance *datadir.Instance) (datadir.Operator, error) {
	file := c.operator
	switch {
	case file != "":
	case instance != nil:
		file = instance.OperatorFile()
	default:
		return datadir.Operator{}, usageError("changing something needs the operator's password: no instance of this user runs at that address, so name the %s of its data folder with --operator",
			filepath.Base(datadir.Instance{}.OperatorFile()))
	}
	o, err := datadir.ReadOperator(file)
	return o, exitWith(exitUsage, err)
}

// do sends a request and classes what comes back.
func (c *client) do(r *http.Request) (io.ReadCloser, error) {
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, c.unreachable(r, err)
	}
	if answer.StatusCode == http.StatusOK {
		return answer.Body, nil
	}
	defer answer.Body.Close()
	return nil, refused(answer)
}

func (c *client) unreachable(r *http.Request, err error) error {
	if r.Context().Err() != nil {
		return r.Context().Err()
	}
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err
	}
	hint := "is weir up running?"
	if n := len(c.running()); c.http == "" && n > 1 {
		hint = fmt.Sprintf("%d instances are running: choose one with --http", n)
	}
	return exitWith(exitUnreachable, fmt.Errorf("nothing answers at %s://%s: %w; %s", r.URL.Scheme, r.URL.Host, err, hint))
}

// refused is the error that an answer with another status than 200 stands for.
func refused(answer *http.Response) error {
	text, _ := io.ReadAll(io.LimitReader(answer.Body, 64<<10)) // what cannot be read is not shown
	var said struct{ Error string }
	if json.Unmarshal(text, &said) != nil || said.Error == "" {
		said.Error = fmt.Sprintf("%s: %.200s", answer.Status, text)
	}
	codes := map[int]int{
		http.StatusBadRequest: exitUsage, http.StatusUnprocessableEntity: exitInvalid, http.StatusServiceUnavailable: exitUnreachable,
	}
	code, known := codes[answer.StatusCode]
	if !known {
		code = exitFailed
	}
	return exitWith(code, errors.New(said.Error))
}

// cutOff classes the error of an answer that ended early.
func cutOff(ctx context.Context, err error) error {
	if err == nil || ctx.Err() != nil {
		return nil // whoever asked has had enough
	}
	return exitWith(exitUnreachable, fmt.Errorf("the answer was cut off: %w", err))
}
