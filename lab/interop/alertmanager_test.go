package interop

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"weir/lab/harness"
)

// alertmanager is one as Debian ships it, and a receiver behind it.
type alertmanager struct {
	t       *testing.T
	address string

	mu   sync.Mutex
	told []string // "firing DEVICE" or "resolved DEVICE", in the order in which its receiver was told
}

// startAlertmanager starts one that tells its receiver at once.
func startAlertmanager(t *testing.T) *alertmanager {
	t.Helper()
	path, err := exec.LookPath("prometheus-alertmanager")
	if err != nil {
		t.Skip("no Alertmanager: apt-get install prometheus-alertmanager")
	}
	a := &alertmanager{t: t, address: harness.FreeAddress(t)}
	behind := httptest.NewServer(a)
	t.Cleanup(behind.Close)
	dir := t.TempDir()
	file := filepath.Join(dir, "alertmanager.yml")
	config := "route: {receiver: people, group_by: ['...'], group_wait: 0s, group_interval: 1s, repeat_interval: 1h}\n" +
		"receivers: [{name: people, webhook_configs: [{url: '" + behind.URL + "', send_resolved: true}]}]\n"
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	cmd := exec.Command(path, "--config.file="+file, "--storage.path="+filepath.Join(dir, "data"), "--web.listen-address="+a.address, "--cluster.listen-address=")
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed
		if t.Failed() {
			t.Logf("Alertmanager said:\n%s", log.String())
		}
	})
	harness.Until(t, 30*time.Second, func() string {
		if err := a.ask(http.MethodGet, "/-/ready", nil, nil); err != nil {
			return "Alertmanager is not ready: " + err.Error()
		}
		return ""
	})
	return a
}

// ServeHTTP is the receiver behind it.
func (a *alertmanager) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	var notice struct {
		Alerts []struct {
			Status string
			Labels map[string]string
		}
	}
	if err := json.NewDecoder(r.Body).Decode(&notice); err != nil {
		a.t.Errorf("what Alertmanager tells: %v", err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, alert := range notice.Alerts {
		a.told = append(a.told, alert.Status+" "+alert.Labels["device"])
	}
}

// wasTold reports whether its receiver was told, as "firing boiler-1".
func (a *alertmanager) wasTold(what string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Contains(a.told, what)
}

// ask makes a request and reads an answer into it, if that is not nil.
func (a *alertmanager) ask(method, path string, body, into any) error {
	b, err := json.Marshal(body)
	if err != nil {
		return err
	}
	r, err := http.NewRequest(method, "http://"+a.address+path, bytes.NewReader(b))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	said, err := io.ReadAll(resp.Body)
	err = errors.Join(err, resp.Body.Close())
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s %s: status %d: %s", method, path, resp.StatusCode, said)
	}
	if err == nil && into != nil {
		err = json.Unmarshal(said, into)
	}
	return err
}

// states are the states of Weir's alerts that go on, by device.
func (a *alertmanager) states() map[string]string {
	a.t.Helper()
	var alerts []struct {
		Labels map[string]string
		Status struct{ State string }
	}
	if err := a.ask(http.MethodGet, `/api/v2/alerts?filter=alertname="WeirFinding"`, nil, &alerts); err != nil {
		a.t.Fatal(err)
	}
	all := map[string]string{}
	for _, alert := range alerts {
		all[alert.Labels["device"]] = alert.Status.State
	}
	return all
}

// silence silences a device for an hour.
func (a *alertmanager) silence(device string) {
	a.t.Helper()
	now := time.Now().UTC()
	err := a.ask(http.MethodPost, "/api/v2/silences", map[string]any{
		"matchers":  []map[string]any{{"name": "device", "value": device, "isRegex": false}},
		"startsAt":  now.Format(time.RFC3339Nano),
		"endsAt":    now.Add(time.Hour).Format(time.RFC3339Nano),
		"createdBy": "test", "comment": "known",
	}, nil)
	if err != nil {
		a.t.Fatal(err)
	}
}

// boilers are devices that say their temperature a few times a second.
type boilers struct {
	t     *testing.T
	all   map[string]*harness.Device
	temp  map[string]int
	newly time.Time
}

func (b *boilers) say() {
	if time.Since(b.newly) < 200*time.Millisecond {
		return
	}
	b.newly = time.Now()
	for name, d := range b.all {
		say(b.t, d, name, fmt.Sprintf(`{"temp":%d}`, b.temp[name]))
	}
}

// until goes on with the readings until missing returns "".
func (b *boilers) until(missing func() string) {
	b.t.Helper()
	harness.Until(b.t, time.Minute, func() string {
		b.say()
		return missing()
	})
}

// TestAlertmanager: a real Alertmanager is told of what is open, keeps silence about what was silenced, and hears that
// it is over, while another receiver hangs.
func TestAlertmanager(t *testing.T) {
	am := startAlertmanager(t)
	var asked sync.Once
	hung := make(chan struct{})
	hanging := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // a server sees that a client has left once it has read what that sent
		asked.Do(func() { close(hung) })
		<-r.Context().Done()
	}))
	t.Cleanup(hanging.Close)
	file := filepath.Join(t.TempDir(), "policy.json")
	policy := fmt.Sprintf(`{"detect":{"metrics":{"temp":{"max":90}}},"alerts":{"receivers":[
		{"name":"hanging","kind":"webhook","url":%q,"group_wait":"0s","timeout":"5m"},
		{"name":"am","kind":"alertmanager","url":"http://%s","repeat":"5s"}]}}`, hanging.URL, am.address)
	if err := os.WriteFile(file, []byte(policy), 0o600); err != nil {
		t.Fatal(err)
	}
	p := harness.Start(t, weir, "--policy", file)
	b := &boilers{t: t, all: map[string]*harness.Device{}, temp: map[string]int{}}
	for _, name := range []string{"boiler-1", "boiler-2"} {
		b.all[name], b.temp[name] = p.Connect(name), 50
	}
	awaitStates := func(want string) {
		t.Helper()
		b.until(func() string {
			if got := fmt.Sprint(am.states()); got != want {
				return fmt.Sprintf("Alertmanager has %s, want %s; Weir says\n%s%s", got, want, p.Weir("findings"), p.LogTail(5))
			}
			return ""
		})
	}
	awaitTold := func(what string) {
		t.Helper()
		b.until(func() string {
			if !am.wasTold(what) {
				return fmt.Sprintf("its receiver was not told %q", what)
			}
			return ""
		})
	}

	b.temp["boiler-1"] = 120
	awaitStates("map[boiler-1:active]")
	awaitTold("firing boiler-1")
	am.silence("boiler-2")
	b.temp["boiler-2"] = 130
	awaitStates("map[boiler-1:active boiler-2:suppressed]")
	<-hung
	b.temp["boiler-1"], b.temp["boiler-2"] = 50, 50
	awaitStates("map[]")
	awaitTold("resolved boiler-1")
	if am.wasTold("firing boiler-2") {
		t.Error("its receiver was told of what was silenced")
	}
	b.until(func() string { // who lists findings reads them beside who tells of them
		if waiting := p.Weir("findings", "--open"); strings.Contains(waiting.Stdout, "boiler") {
			return fmt.Sprintf("still open:\n%s", waiting)
		}
		return ""
	})
}
