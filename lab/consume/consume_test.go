// Package consume holds the documentation of published windows and findings to its
// word: the examples are built as they stand there and run against the built weir.
//
// In: docs/consume.md, docs/findings.md and the binary (flag -weir, else built from the sources).
// Out: pass, or what an example did not print.
package consume

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"weir/lab/harness"
)

var weir harness.Binary

func TestMain(m *testing.M) { os.Exit(harness.Main(m, &weir)) }

// published is a policy of which windows are final two seconds after their end.
const published = `{"views":[
	{"name":"device","size":"1s","allowed_lateness":"1s","publish":true},
	{"name":"fleet","size":"1s","allowed_lateness":"1s"}
]}`

// within bounds what takes a few seconds on an idle machine.
const within = 60 * time.Second

func TestConsumer(t *testing.T) {
	p, printed := consume(t, "consume.md", published)
	from := send(t, p, "pump-1", 1, 2, 3, 4, 5)
	want := fmt.Sprintf("%s pump-1 temp 5 15 false", from.UTC().Format("2006-01-02T15:04:05.000Z"))
	if got := next(t, printed); got != want {
		t.Errorf("the consumer prints %q, want %q", got, want)
	}
}

func TestConsumerOfFindings(t *testing.T) {
	p, printed := consume(t, "findings.md", `{"detect": {"metrics": {"temp": {"max": 80}}}}`)
	send(t, p, "pump-1", 99)
	if got, want := next(t, printed), "weir.finding.open acme/pump-1 critical limit"; got != want {
		t.Errorf("the consumer prints %q, want %q", got, want)
	}
}

// consume starts weir under a policy, and the program of a page that listens to it.
func consume(t *testing.T, page, document string) (p *harness.Product, printed <-chan string) {
	t.Helper()
	program := buildExample(t, page)
	policy := filepath.Join(t.TempDir(), "policy.json")
	if err := os.WriteFile(policy, []byte(document), 0o600); err != nil {
		t.Fatal(err)
	}
	p = harness.Start(t, weir, "--policy", policy)
	consumer := exec.Command(program, filepath.Join(p.Folder, "operator.json"))
	printed = lines(t, consumer.StdoutPipe)
	said := lines(t, consumer.StderrPipe)
	if err := consumer.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = consumer.Process.Kill()
		_ = consumer.Wait()
	})
	if got := next(t, said); !strings.HasSuffix(got, "listening") {
		t.Fatalf("the consumer says %q", got)
	}
	return p, printed
}

// send sends readings of one device in the last whole second, which it returns. They are one
// message: whoever pauses for two seconds gets a window in parts.
func send(t *testing.T, p *harness.Product, device string, values ...float64) time.Time {
	t.Helper()
	nc, err := nats.Connect("nats://" + p.NATS)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	from := time.Now().Truncate(time.Second).Add(-time.Second)
	var readings []string
	for i, v := range values {
		readings = append(readings, fmt.Sprintf(`{"temp":%g,"ts":%d}`, v, from.UnixMilli()+int64(i)))
	}
	if _, err := nc.Request("tel.acme."+device+".metrics", []byte("["+strings.Join(readings, ",")+"]"), within); err != nil {
		t.Fatal(err)
	}
	return from
}

var goBlock = regexp.MustCompile("(?s)```go\n(.*?)```")

// buildExample builds the one Go program of a page and returns its path.
func buildExample(t *testing.T, name string) string {
	t.Helper()
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(root, "docs", name))
	if err != nil {
		t.Fatal(err)
	}
	blocks := goBlock.FindAllSubmatch(page, -1)
	if len(blocks) != 1 {
		t.Fatalf("docs/%s has %d Go programs, want one", name, len(blocks))
	}
	source, program := filepath.Join(t.TempDir(), "main.go"), filepath.Join(t.TempDir(), "consume")
	if err := os.WriteFile(source, blocks[0][1], 0o600); err != nil {
		t.Fatal(err)
	}
	// Built in this module, whose nats.go it takes.
	if out, err := exec.Command("go", "build", "-o", program, source).CombinedOutput(); err != nil {
		t.Fatalf("build the example: %v\n%s", err, out)
	}
	return program
}

// lines are what a process that is about to start writes.
func lines(t *testing.T, pipe func() (io.ReadCloser, error)) <-chan string {
	t.Helper()
	r, err := pipe()
	if err != nil {
		t.Fatal(err)
	}
	out := make(chan string, 100)
	go func() {
		defer close(out)
		for scan := bufio.NewScanner(r); scan.Scan(); {
			out <- scan.Text()
		}
	}()
	return out
}

func next(t *testing.T, lines <-chan string) string {
	t.Helper()
	select {
	case line := <-lines:
		return line
	case <-time.After(within):
		t.Fatalf("nothing was printed within %v", within)
		return ""
	}
}
