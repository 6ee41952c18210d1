package interop

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"weir/lab/harness"
)

// dashboard is what a test looks at in one.
type dashboard struct {
	UID        string
	Templating struct {
		List []struct{ Name, Type string }
	}
	Panels []struct {
		Title, Type string
		Datasource  struct{ UID string }
		FieldConfig struct{ Defaults struct{ Unit string } }
		Targets     []struct {
			Expr       string
			Datasource struct{ UID string }
		}
	}
}

func loadDashboard(t *testing.T) (d dashboard) {
	t.Helper()
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(root, "deploy/grafana/dashboards/weir.json"))
	if err == nil {
		err = json.Unmarshal(b, &d)
	}
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestDashboardIsPortable: a fixed identity, a data source that is chosen, a unit and a question for each panel, and no
// metric that is not served.
func TestDashboardIsPortable(t *testing.T) {
	d := loadDashboard(t)
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	served, err := os.ReadFile(filepath.Join(root, "services/console/testdata/metrics.golden"))
	if err != nil {
		t.Fatal(err)
	}
	if d.UID != "weir-overview" || len(d.Templating.List) == 0 || d.Templating.List[0].Name != "DS_PROMETHEUS" || d.Templating.List[0].Type != "datasource" {
		t.Errorf("identity %q, variables %v", d.UID, d.Templating.List)
	}
	names := regexp.MustCompile(`weir_[a-z_]+`)
	for _, p := range d.Panels {
		if p.Type == "row" {
			continue
		}
		if !strings.HasSuffix(p.Title, "?") || p.FieldConfig.Defaults.Unit == "" || p.Datasource.UID != "${DS_PROMETHEUS}" || len(p.Targets) == 0 {
			t.Errorf("panel %q: unit %q, data source %q, %d queries", p.Title, p.FieldConfig.Defaults.Unit, p.Datasource.UID, len(p.Targets))
		}
		for _, q := range p.Targets {
			for _, name := range names.FindAllString(q.Expr, -1) {
				if !strings.Contains(string(served), "\n"+name+" ") && !strings.HasPrefix(string(served), name+" ") {
					t.Errorf("panel %q asks for %s, which nobody serves", p.Title, name)
				}
			}
			if q.Datasource.UID != "${DS_PROMETHEUS}" {
				t.Errorf("panel %q asks %q", p.Title, q.Datasource.UID)
			}
		}
	}
}

// silent are the metrics that one process alone has nothing to say about.
var silent = regexp.MustCompile(`weir_link_|weir_partitions_`)

// TestDashboardAsksWhatIsThere: a Prometheus that scrapes a live weir up parses every query and, where there is anything
// to show, answers it.
func TestDashboardAsksWhatIsThere(t *testing.T) {
	t.Parallel()
	prom := needPrometheus(t, false)
	p := harness.Start(t, weir, "--policy", policy(t, map[string]any{"name": "none", "kind": "otlp", "endpoint": "http://127.0.0.1:9", "timeout": "1s"}))
	prom.scrapes = p.HTTP
	prom.start()
	d := p.Connect("pump")
	defer func() { _ = d.Close() }() // all it had to say was acknowledged
	for range 24 {
		say(t, d, "pump", `{"temp":"bad"}`)
		say(t, d, "pump", fmt.Sprintf(`{"temp":1,"ts":%d}`, time.Now().UnixMilli()))
		harness.Pause(500 * time.Millisecond)
	}
	variables := strings.NewReplacer("$__rate_interval", "10s", "$view", ".*", "$tenant", ".*", "$metric", ".*")
	for _, panel := range loadDashboard(t).Panels {
		for _, q := range panel.Targets {
			expr := variables.Replace(q.Expr)
			harness.Until(t, 15*time.Second, func() string {
				results, problem := prom.query(expr, time.Time{})
				if problem == "" && len(results) == 0 && !silent.MatchString(expr) {
					problem = panel.Title + ": nothing for " + expr
				}
				return problem
			})
		}
	}
}
