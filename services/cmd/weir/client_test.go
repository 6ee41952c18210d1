package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"weir/services/internal/datadir"
)

// api answers like a console: fixed texts by path.
func api(t *testing.T, answers map[string]string) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, ok := answers[r.URL.Path]
		if !ok {
			w.WriteHeader(http.StatusNotFound)
			text = `{"error":"no such path"}`
		}
		fmt.Fprint(w, strings.ReplaceAll(text, "QUERY", r.URL.RawQuery))
	}))
	t.Cleanup(s.Close)
	return s
}

// runCommand runs the command line within this process.
func runCommand(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, errs bytes.Buffer
	root := newRoot()
	root.SetOut(&out)
	root.SetErr(&errs)
	root.SetArgs(args)
	err := root.ExecuteContext(t.Context())
	if err != nil {
		fmt.Fprintln(&errs, err)
	}
	return out.String(), errs.String(), exitCode(err)
}

const ledgerAnswer = `{"totals":{"received":1234,"counted":1203,"rejected":31},"reasons":[{"stage":"ingest","outcome":"rejected","reason":"future","n":31}],` +
	`"signals":{"metrics":{"received":1234,"counted":1203,"rejected":31},"traces":{},"logs":{}},"tenants":{"demo":{"received":1234,"counted":1203,"rejected":31}},` +
	`"agents":{},"lag_seconds":0.9,"checked_tiers":["region","center"]}` + "\n"

func TestLedgerCommand(t *testing.T) {
	s := api(t, map[string]string{"/api/v1/ledger": ledgerAnswer})
	out, errs, code := runCommand(t, "ledger", "--http", s.URL)
	want := `1,234 received = 1,203 counted + 0 late + 0 duplicate + 31 rejected (31 future) + 0 in flight · 0 unexplained · lag 0.9 s

OF      NAME     RECEIVED  COUNTED  LATE  DUPLICATE  REJECTED  SHED  IN FLIGHT  LOST DECLARED  UNEXPLAINED
all              1,234     1,203    0     0          31        0     0          0              0
signal  metrics  1,234     1,203    0     0          31        0     0          0              0
tenant  demo     1,234     1,203    0     0          31        0     0          0              0

OUTCOME   REASON  STAGE   RECORDS
rejected  future  ingest  31
`
	if squeeze(out) != squeeze(want) || errs != "" || code != exitOK {
		t.Errorf("exit code %d, stderr %q, got\n%s\nwant\n%s", code, errs, out, want)
	}
	out, _, _ = runCommand(t, "ledger", "--http", s.URL, "-o", "csv")
	if want := "of,name,received,counted,late,duplicate,rejected,shed,in_flight,lost_declared,unexplained\nall,,1234,1203,0,0,31,0,0,0,0\n"; !strings.HasPrefix(out, want) {
		t.Errorf("CSV: %s", out)
	}
	out, _, _ = runCommand(t, "ledger", "--http", strings.TrimPrefix(s.URL, "http://"), "-o", "json")
	var totals struct{ Totals map[string]int64 }
	if err := json.Unmarshal([]byte(out), &totals); err != nil || totals.Totals["received"] != 1234 || totals.Totals["unexplained"] != 0 || strings.Count(out, "\n") != 1 {
		t.Errorf("JSON: %s: %v", out, err)
	}
}

// squeeze makes the width of columns not matter.
func squeeze(s string) string {
	var lines []string
	for line := range strings.Lines(s) {
		lines = append(lines, strings.Join(strings.Fields(line), " "))
	}
	return strings.Join(lines, "\n")
}

func TestUnexplainedIsSaidAloud(t *testing.T) {
	s := api(t, map[string]string{"/api/v1/ledger": strings.Replace(ledgerAnswer, `"received":1234,`, `"received":1234,"unexplained":2,`, 1)})
	if _, errs, code := runCommand(t, "ledger", "--http", s.URL, "-o", "json"); !strings.Contains(errs, "2 records are unexplained") || code != exitOK {
		t.Errorf("exit code %d, stderr %q", code, errs)
	}
}

const windowAnswer = `{"tenant":"a","view":"device","key":{"device":"d\u001b[31m","metric":"temp"},"start":"2026-11-21T10:00:00.000Z","end":"2026-11-21T10:00:10.000Z",` +
	`"count":4,"sum":10,"min":1,"max":4,"p50":2,"p90":4,"p99":4,"revision":1,"timing":"on_time","completeness":null,"clock_error_ms":null,"agent":"a1","region":"r1"}` + "\n"

func TestWindowsCommand(t *testing.T) {
	s := api(t, map[string]string{"/api/v1/windows": windowAnswer})
	out, _, code := runCommand(t, "windows", "--http", s.URL)
	want := "START END TENANT VIEW KEY COUNT MEAN MIN P50 P99 MAX TIMING REVISION COMPLETE\n" +
		"2026-11-21T10:00:00.000Z 2026-11-21T10:00:10.000Z a device device=d·[31m metric=temp 4 2.5 1 2 4 4 on_time 1 unknown"
	if squeeze(out) != want || code != exitOK {
		t.Errorf("exit code %d, got\n%s\nwant\n%s", code, squeeze(out), want)
	}
	if out, _, _ := runCommand(t, "windows", "--http", s.URL, "-o", "json"); out != windowAnswer {
		t.Errorf("JSON is not as it came: %s", out)
	}
}

func TestWindowsAsks(t *testing.T) {
	s := api(t, map[string]string{"/api/v1/windows": `{"error":"asked QUERY"}` + "\n"})
	_, errs, code := runCommand(t, "windows", "--http", s.URL, "--device", "d", "--metric", "m", "--from", "1h", "--final", "--limit", "3")
	if !strings.Contains(errs, "asked device=d&final=true&from=1h&limit=3&metric=m") || code != exitFailed {
		t.Errorf("exit code %d, stderr %q", code, errs)
	}
}

func TestListCommands(t *testing.T) {
	s := api(t, map[string]string{
		"/api/v1/devices": `{"tenant":"a","device":"d","class":"pump","agent":"a1","first_seen":"F","last_seen":"L","records_per_second":1.25,"numbered":true,"records":7,"rejected":{"future":31,"bad_value":2}}` + "\n",
		"/api/v1/parked":  `{"time":"T","agent":"a1","tenant":"a","subject":"tel.a.d.metrics","reason":"undecodable","detail":"JSON at byte 17","payload":"AP8=","size":2}` + "\n",
	})
	for command, want := range map[string]string{
		"devices": "TENANT DEVICE CLASS AGENT FIRST SEEN LAST SEEN REC/S NUMBERED RECORDS REJECTED\na d pump a1 F L 1.2 yes 7 2 bad_value 31 future",
		"parked":  `TIME SUBJECT REASON DETAIL SIZE PAYLOAD` + "\n" + `T tel.a.d.metrics undecodable JSON at byte 17 2 "\x00\xff"`,
	} {
		if out, errs, code := runCommand(t, command, "--http", s.URL); squeeze(out) != want || code != exitOK {
			t.Errorf("weir %s: exit code %d, stderr %q, got\n%s\nwant\n%s", command, code, errs, squeeze(out), want)
		}
	}
}

func TestExitCodesOfCommands(t *testing.T) {
	status := http.StatusOK
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		fmt.Fprint(w, `{"error":"as it is"}`)
	}))
	defer s.Close()
	for _, c := range []struct {
		args   string
		status int
		code   int
		says   string
	}{
		{"ledger --http 127.0.0.1:1", 0, exitUnreachable, "is weir up running?"},
		{"windows --http " + s.URL, http.StatusServiceUnavailable, exitUnreachable, "as it is"},
		{"windows --http " + s.URL, http.StatusBadRequest, exitUsage, "as it is"},
		{"windows --http " + s.URL, http.StatusInternalServerError, exitFailed, "as it is"},
		{"windows --http " + s.URL + " -o xml", 0, exitUsage, "use table, json, csv"},
		{"windows --http ftp://x", 0, exitUsage, "use a URL"},
		{"windows --limit many", 0, exitUsage, "limit"},
		{"windows surplus", 0, exitUsage, `unexpected arguments ["surplus"]: use weir windows [flags]; see weir windows --help`},
		{"surplus", 0, exitUsage, "unknown command"},
		{"policy surplus", 0, exitUsage, `weir policy has no command "surplus"; see weir policy --help`},
		{"policy validate", 0, exitUsage, "an argument is missing: use weir policy validate FILE"},
		{"policy validate a b", 0, exitUsage, `unexpected arguments ["a" "b"]: use weir policy validate FILE`},
		{"run surplus", 0, exitUsage, "surplus"},
		{"devices --unknown", 0, exitUsage, "unknown flag"},
		{"sim --qos 7 --mqtt 127.0.0.1:1", 0, exitUsage, "QoS 7"},
		{"sim --mqtt 127.0.0.1:1 --quiet --connect 1ms", 0, exitUnreachable, "127.0.0.1:1"},
		{"verify", 0, exitUsage, "truth file"},
	} {
		status = c.status
		if _, errs, code := runCommand(t, strings.Fields(c.args)...); code != c.code || !strings.Contains(errs, c.says) {
			t.Errorf("weir %s: exit code %d, stderr %q; want %d and %q", c.args, code, errs, c.code, c.says)
		}
	}
}

func TestWhomToAsk(t *testing.T) {
	instance := func(address string) datadir.Instance { return datadir.Instance{HTTP: address} }
	for _, c := range []struct {
		name    string
		flag    string
		running []datadir.Instance
		want    string
		known   bool
	}{
		{"nobody runs", "", nil, "http://127.0.0.1:8080", false},
		{"the only one", "", []datadir.Instance{instance("127.0.0.1:9000")}, "http://127.0.0.1:9000", true},
		{"one of two", "", []datadir.Instance{instance("127.0.0.1:9000"), instance("127.0.0.1:8080")}, "http://127.0.0.1:8080", true},
		{"neither of two", "", []datadir.Instance{instance("127.0.0.1:9000"), instance("127.0.0.1:9001")}, "http://127.0.0.1:8080", false},
		{"named", "localhost:9000", []datadir.Instance{instance("127.0.0.1:9000")}, "http://localhost:9000", true},
		{"elsewhere", "https://weir.example/", []datadir.Instance{instance("127.0.0.1:9000")}, "https://weir.example", false},
	} {
		asking := client{http: c.flag, running: func() []datadir.Instance { return c.running }}
		got, instance, err := asking.base()
		if got != c.want || (instance != nil) != c.known || err != nil {
			t.Errorf("%s: %s, instance %v, %v; want %s", c.name, got, instance, err, c.want)
		}
	}
}

func TestPolicyCommands(t *testing.T) {
	var got string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, password, _ := r.BasicAuth()
		var body bytes.Buffer
		_, _ = body.ReadFrom(r.Body)
		got = r.Method + " " + r.URL.Path + " " + password + " " + body.String()
		if strings.Contains(body.String(), "bad") {
			w.WriteHeader(http.StatusUnprocessableEntity)
			fmt.Fprint(w, `{"error":"views[0].size: use a duration"}`)
			return
		}
		fmt.Fprint(w, `{"key":"k","revision":5}`)
	}))
	defer s.Close()
	dir := t.TempDir()
	write := func(name, text string) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	operator := write("operator.json", `{"user":"operator","password":"secret"}`)
	good, bad := write("good.json", `{}`), write("bad.json", `{"bad":`)

	if out, errs, code := runCommand(t, "policy", "set", "agent.a1", good, "--http", s.URL, "--operator", operator); code != exitOK || got != "PUT /api/v1/policy/agent.a1 secret {}" || out != "" || !strings.Contains(errs, "revision 5") {
		t.Errorf("set: exit code %d, %q, asked %s", code, errs, got)
	}
	if _, errs, code := runCommand(t, "policy", "set", bad, "--http", s.URL, "--operator", operator); code != exitInvalid || !strings.Contains(errs, "views[0].size") {
		t.Errorf("set an invalid document: exit code %d, %q", code, errs)
	}
	if _, errs, code := runCommand(t, "policy", "set", good, "--http", s.URL); code != exitUsage || !strings.Contains(errs, "--operator") {
		t.Errorf("set without a password: exit code %d, %q", code, errs)
	}
	if out, _, code := runCommand(t, "policy", "get", "default", "--http", s.URL); code != exitOK || out != `{"key":"k","revision":5}` || !strings.HasPrefix(got, "GET /api/v1/policy/default ") {
		t.Errorf("get: exit code %d, %q, asked %s", code, out, got)
	}
	if _, _, code := runCommand(t, "policy", "get", "--http", s.URL); code != exitOK || !strings.HasPrefix(got, "GET /api/v1/policy ") {
		t.Errorf("get what is in force: exit code %d, asked %s", code, got)
	}
	if _, errs, code := runCommand(t, "policy", "validate", good); code != exitOK || !strings.Contains(errs, "is valid") {
		t.Errorf("validate: exit code %d, %q", code, errs)
	}
	if _, errs, code := runCommand(t, "policy", "validate", bad); code != exitInvalid || !strings.Contains(errs, "bad.json") {
		t.Errorf("validate an invalid document: exit code %d, %q", code, errs)
	}
	broken := filepath.Join(dir, "broken.json")
	if err := os.WriteFile(broken, []byte("{\n \"idle\": \"2s\",\n \"lateness\": ,\n}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, errs, _ := runCommand(t, "policy", "validate", broken); !strings.Contains(errs, broken+": policy: JSON near line 3, column 14:") {
		t.Errorf("of broken JSON it says %q", errs)
	}
	if _, _, code := runCommand(t, "policy", "validate", filepath.Join(dir, "missing.json")); code != exitUsage {
		t.Errorf("validate a missing file: exit code %d", code)
	}
}

func TestVersionCommand(t *testing.T) {
	out, _, code := runCommand(t, "version", "-o", "json")
	var v struct {
		Version, Go string
		Formats     map[string]int
	}
	if err := json.Unmarshal([]byte(out), &v); err != nil || code != exitOK || v.Version == "" || v.Go == "" || v.Formats["data"] < 1 {
		t.Errorf("exit code %d, %s: %v", code, out, err)
	}
}

// TestEveryCommandExplainsItself: help with an example for whatever can be run.
func TestEveryCommandExplainsItself(t *testing.T) {
	for _, c := range []string{"ledger", "windows", "devices", "parked", "policy", "policy get", "policy set", "policy validate", "version", "sim", "verify"} {
		out, _, code := runCommand(t, append(strings.Fields(c), "--help")...)
		if code != exitOK || !strings.Contains(out, "Examples:\n  weir "+c) {
			t.Errorf("weir %s --help: exit code %d\n%s", c, code, out)
		}
	}
}
