package harness

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"weir/schemas"
)

// Cluster is several NATS servers with JetStream that are not the product's, each a
// process of its own that can be killed.
type Cluster struct {
	Server // any of them: lists of URLs
	Nodes  []*Node

	tb testing.TB
}

// Node is one server of a cluster. It is this very program, started again.
type Node struct {
	Name string

	tb    testing.TB
	file  string // of its settings
	cmd   *exec.Cmd
	ended chan struct{}
}

// settings of a node, as it reads them.
type settings struct {
	Name, Dir            string
	Client, Leaf, Routes int      // ports
	Others               []string // URLs of routes
}

// nodeSettings names the file of settings to a program that is to be a node.
const nodeSettings = "WEIR_LAB_NODE"

// asNode makes this process a node, if it was started as one. It reports whether it
// was.
func asNode() (was bool, err error) {
	file := os.Getenv(nodeSettings)
	if file == "" {
		return false, nil
	}
	var s settings
	data, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(data, &s)
	}
	if err != nil {
		return true, err
	}
	o := &server.Options{
		ServerName: s.Name, MaxPayload: 8 << 20, JetStream: true, StoreDir: s.Dir, SyncAlways: true, Host: "127.0.0.1", Port: s.Client,
		LeafNode: server.LeafNodeOpts{Host: "127.0.0.1", Port: s.Leaf},
		Cluster:  server.ClusterOpts{Name: "site", Host: "127.0.0.1", Port: s.Routes},
		LogFile:  s.Dir + ".log", Logtime: true,
	}
	for _, other := range s.Others {
		u, err := url.Parse(other)
		if err != nil {
			return true, err
		}
		o.Routes = append(o.Routes, u)
	}
	srv, err := server.NewServer(o)
	if err != nil {
		return true, err
	}
	srv.ConfigureLogger()
	srv.Start()
	srv.WaitForShutdown()
	return true, nil
}

// StartCluster starts three servers, and waits until they have a leader.
func StartCluster(tb testing.TB) *Cluster {
	tb.Helper()
	const size = 3
	c := &Cluster{tb: tb}
	dir, err := os.MkdirTemp(scratch(tb), "weir-lab-nats-")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if tb.Failed() {
			tb.Logf("kept %s: the servers' logs and data", dir)
			return
		}
		_ = os.RemoveAll(dir)
	})
	all := make([]settings, size)
	var routes, clients, leafs []string
	for i := range all {
		name := fmt.Sprint("n", i+1)
		all[i] = settings{Name: name, Dir: filepath.Join(dir, name), Client: portOf(FreeAddress(tb)), Leaf: portOf(FreeAddress(tb)), Routes: portOf(FreeAddress(tb))}
		routes = append(routes, fmt.Sprintf("nats-route://127.0.0.1:%d", all[i].Routes))
		clients = append(clients, fmt.Sprintf("nats://127.0.0.1:%d", all[i].Client))
		leafs = append(leafs, fmt.Sprintf("nats-leaf://127.0.0.1:%d", all[i].Leaf))
	}
	c.NATS, c.Leaf = strings.Join(clients, ","), strings.Join(leafs, ",")
	for _, s := range all {
		s.Others = routes
		n := &Node{Name: s.Name, tb: tb, file: s.Dir + ".json"}
		data, err := json.Marshal(s)
		if err == nil {
			err = os.WriteFile(n.file, data, 0o600)
		}
		if err != nil {
			tb.Fatal(err)
		}
		n.Launch()
		tb.Cleanup(n.Kill)
		c.Nodes = append(c.Nodes, n)
	}
	c.manage(func(js jetstream.JetStream) string {
		if _, err := js.AccountInfo(tb.Context()); err != nil {
			return fmt.Sprintf("the cluster has no leader: %v", err)
		}
		return ""
	})
	return c
}

// Launch starts the server.
func (n *Node) Launch() {
	n.tb.Helper()
	program, err := os.Executable()
	if err == nil {
		n.cmd = exec.Command(program)
		n.cmd.Env = append(os.Environ(), nodeSettings+"="+n.file)
		n.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
		n.ended, err = spawn(n.cmd)
	}
	if err != nil {
		n.tb.Fatalf("start a NATS server: %v", err)
	}
}

// Kill is kill -9. It is no error where nothing runs.
func (n *Node) Kill() {
	_ = n.cmd.Process.Kill()
	<-n.ended
}

// Pause stops the process until Resume: its connections stay, and nobody answers.
func (n *Node) Pause() { n.signal(syscall.SIGSTOP) }

// Resume wakes a paused process up.
func (n *Node) Resume() { n.signal(syscall.SIGCONT) }

func (n *Node) signal(s syscall.Signal) {
	n.tb.Helper()
	if err := n.cmd.Process.Signal(s); err != nil {
		n.tb.Fatalf("signal %v to server %s: %v", s, n.Name, err)
	}
}

// clusterWithin bounds what a cluster must agree on.
const clusterWithin = time.Minute

// manage asks any server until nothing is missing.
func (c *Cluster) manage(missing func(jetstream.JetStream) string) {
	c.tb.Helper()
	conn, err := nats.Connect(c.NATS, nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1), nats.ReconnectWait(100*time.Millisecond))
	if err != nil {
		c.tb.Fatal(err)
	}
	defer conn.Close()
	js, err := jetstream.New(conn)
	if err != nil {
		c.tb.Fatal(err)
	}
	Until(c.tb, clusterWithin, func() string { return missing(js) })
}

// Replicate gives every stream of the product three replicas, as an operator does,
// and waits until they are there.
func (c *Cluster) Replicate() {
	c.tb.Helper()
	ctx := c.tb.Context()
	c.manage(func(js jetstream.JetStream) string {
		streams := js.ListStreams(ctx)
		for info := range streams.Info() {
			switch cluster := info.Cluster; {
			case !strings.Contains(info.Config.Name, schemas.DefaultPrefix):
			case info.Config.Replicas < len(c.Nodes):
				info.Config.Replicas = len(c.Nodes)
				if _, err := js.UpdateStream(ctx, info.Config); err != nil {
					return fmt.Sprintf("%s has one replica: %v", info.Config.Name, err)
				}
				return info.Config.Name + " has just been given replicas"
			case cluster == nil || cluster.Leader == "" || len(cluster.Replicas) < len(c.Nodes)-1 || behind(cluster):
				return fmt.Sprintf("%s: %+v", info.Config.Name, cluster)
			}
		}
		if err := streams.Err(); err != nil {
			return err.Error()
		}
		return ""
	})
}

func behind(c *jetstream.ClusterInfo) bool {
	for _, r := range c.Replicas {
		if !r.Current || r.Offline {
			return true
		}
	}
	return false
}

// Leader is the server that leads a stream of the product.
func (c *Cluster) Leader(stream string) *Node {
	c.tb.Helper()
	var name string
	c.manage(func(js jetstream.JetStream) string {
		s, err := js.Stream(c.tb.Context(), schemas.DefaultPrefix+stream)
		if err != nil {
			return err.Error()
		}
		if i := s.CachedInfo().Cluster; i != nil {
			name = i.Leader
		}
		if name == "" {
			return stream + " has no leader"
		}
		return ""
	})
	for _, n := range c.Nodes {
		if n.Name == name {
			return n
		}
	}
	c.tb.Fatalf("%s is led by %q, which is none of the servers", stream, name)
	return nil
}
