package bus

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"weir/schemas"
)

// Upstream is where a server links to: the tier above.
type Upstream struct {
	URL            string // nats-leaf://host:port, nats:// alike, or tls://; several of one server or cluster separated by comma
	User, Password string
	Creds          string // file with a NATS user's JWT and seed, instead of a password
	CA             string // file: who signs the other side's certificate; set: TLS whatever the URL says; empty: the system's
	Cert, Key      string // files: who this side is, where the other side asks
	First          bool   // the TLS handshake comes before the first byte of NATS; the other side must want it too
}

// Times of a link. A lost one is to bring something within two seconds of its network:
// each attempt comes between one and two linkAgain after the last, at a moment of its
// own, so that a thousand agents do not come at once. Where nobody refuses, a call is
// sent again after one, two and three seconds (Linux), and given up soon after that.
const (
	linkDial  = 3500 * time.Millisecond
	linkInfo  = 5 * time.Second // for the greeting, behind the handshakes of others
	linkAgain = 500 * time.Millisecond
	linkFails = 90 // attempts between two lines in the log
)

// notAcross is what a link carries in neither direction, whatever the other side
// allows: what devices say, what this tier keeps, how its services talk, and the
// server's own subjects.
func notAcross() []string {
	return []string{
		schemas.TelemetryAll, "weir.journal.>", "weir.state.>", "weir.outbox.>", "weir.ask.>", schemas.KeptAll, schemas.ParkedAll,
		"$MQTT.>", "$JS.>", "$KV.>", "$O.>", "$SYS.>", serviceInbox + ".>",
	}
}

// set makes the server link to the upstream, for ever trying.
func (u *Upstream) set(o *server.Options) error {
	if u == nil {
		return nil
	}
	remote := &server.RemoteLeafOpts{
		DenyImports: notAcross(), DenyExports: notAcross(), Credentials: u.Creds,
		DialTimeout: linkDial, FirstInfoTimeout: linkInfo, IgnoreDiscoveredServers: true,
		RequestIsolation: true, // what others below listen to is no concern of this server
		// Entries come packed, and packing them again costs memory and time.
		Compression: server.CompressionOpts{Mode: server.CompressionOff},
	}
	secure, err := u.urls(remote)
	if err == nil {
		err = u.login(remote)
	}
	if err == nil && secure {
		err = u.secure(remote)
	}
	if err != nil {
		return fmt.Errorf("upstream %q: %w", shown(u.URL), err)
	}
	o.LeafNode.ReconnectInterval = linkAgain
	o.ConnectErrorReports, o.ReconnectErrorReports = linkFails, linkFails
	o.LeafNode.Remotes = []*server.RemoteLeafOpts{remote}
	return nil
}

// shown is a URL without the login that somebody may have put into it.
func shown(url string) string {
	if i := strings.LastIndexByte(url, '@'); i >= 0 {
		return "…" + url[i:]
	}
	return url
}

// urls reads where to link to. It reports whether over TLS.
func (u *Upstream) urls(remote *server.RemoteLeafOpts) (secure bool, err error) {
	for i, one := range strings.Split(u.URL, ",") {
		to, err := leafURL(strings.TrimSpace(one))
		if err != nil {
			return false, err
		}
		tls := to.Scheme == "tls"
		if i > 0 && tls != secure {
			return false, errors.New("TLS for some of the addresses only; use tls:// for all or none")
		}
		secure = tls
		remote.URLs = append(remote.URLs, to)
	}
	return secure || u.CA != "", nil
}

// leafURL checks one address and gives it the usual port.
func leafURL(s string) (*url.URL, error) {
	to, err := url.Parse(s)
	if err != nil {
		var parse *url.Error
		if errors.As(err, &parse) {
			err = parse.Err // without the URL: it is named already, and may hold a password
		}
		return nil, fmt.Errorf("%w; use nats-leaf://host:port", err)
	}
	if to.Scheme != "nats-leaf" && to.Scheme != "nats" && to.Scheme != "tls" {
		return nil, fmt.Errorf("scheme %q; use nats-leaf://host:port or tls://host:port", to.Scheme)
	}
	port := to.Port()
	if port == "" {
		port = strconv.Itoa(server.DEFAULT_LEAFNODE_PORT)
	}
	n, err := strconv.Atoi(port)
	switch {
	case to.Hostname() == "":
		return nil, errors.New("it names no host; use nats-leaf://host:port")
	case err != nil || n < 1 || n > 65535:
		return nil, fmt.Errorf("port %q is none", port)
	case to.User != nil:
		return nil, errors.New("it holds a login; give user and password apart from it")
	case strings.Trim(to.Path, "/") != "" || to.RawQuery != "" || to.Fragment != "":
		return nil, fmt.Errorf("%q says more than host and port", to.RequestURI())
	}
	return &url.URL{Scheme: to.Scheme, Host: net.JoinHostPort(to.Hostname(), port)}, nil
}

// login puts user and password where the server looks for them.
func (u *Upstream) login(remote *server.RemoteLeafOpts) error {
	if u.Creds != "" {
		_, err := os.Stat(u.Creds)
		return err
	}
	if u.User == "" && u.Password != "" {
		return errors.New("a password without a user")
	}
	if u.User == "" {
		return nil
	}
	for _, to := range remote.URLs {
		to.User = url.UserPassword(u.User, u.Password)
	}
	return nil
}

func (u *Upstream) secure(remote *server.RemoteLeafOpts) (err error) {
	t := TLS{Cert: u.Cert, Key: u.Key, CA: u.CA}
	remote.TLS, remote.TLSTimeout, remote.TLSHandshakeFirst = true, tlsWithin, u.First
	remote.TLSConfig, err = t.Dialer()
	return err
}

// LinkUp reports whether the link to the upstream stands.
func (e *Embedded) LinkUp() bool { return e.uplink() != 0 }

// uplink tells this link to the upstream from the next; 0: there is none.
func (e *Embedded) uplink() uint64 {
	if e.cfg.Upstream == nil {
		return 0
	}
	for _, l := range e.life.Load().leafs(server.DEFAULT_GLOBAL_ACCOUNT) {
		if l.IsSpoke {
			return l.ID
		}
	}
	return 0
}
