package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/pflag"

	"weir/services/internal/bus"
	"weir/services/internal/datadir"
	"weir/simulator"
)

// signIn are the flags by which simulated devices sign in.
type signIn struct {
	creds    string
	tls      bus.TLS
	insecure bool
}

func (s *signIn) addFlags(f *pflag.FlagSet) {
	f.StringVar(&s.creds, "creds", "", "the user that devices sign in as: a JSON file with user and password, mode 0600")
	f.StringVar(&s.tls.CA, "tls-ca", "", "authority that the other side must have its certificate from (default: the system's)")
	f.StringVar(&s.tls.Cert, "tls-cert", "", "certificate (PEM) to show to it; needs --tls-key")
	f.StringVar(&s.tls.Key, "tls-key", "", "its private key")
	f.BoolVar(&s.insecure, "insecure", false, "send the password in the clear over a network that you trust")
}

// settle reads the files and completes o.
func (s *signIn) settle(o *simulator.Options) error {
	if (s.tls.Cert == "") != (s.tls.Key == "") {
		return errors.New("--tls-cert and --tls-key go together: name both")
	}
	if s.tls != (bus.TLS{}) {
		var err error
		if o.TLS, err = s.tls.Dialer(); err != nil {
			return err
		}
	}
	if o.TLS != nil && !o.Secure() {
		return fmt.Errorf("--tls-ca and --tls-cert are for TLS: use --mqtt tls://%s", o.MQTT)
	}
	if s.creds == "" {
		return nil
	}
	who, err := datadir.ReadOperator(s.creds)
	if err != nil {
		return fmt.Errorf("--creds: %w", err)
	}
	o.User, o.Password = who.User, who.Password
	return s.checkExposed(o)
}

// checkExposed refuses to show a password to whoever listens on the way.
func (s *signIn) checkExposed(o *simulator.Options) error {
	if o.NATS != "" {
		return checkServer(o.NATS, true, s.tls.CA != "", s.insecure)
	}
	a := address{value: strings.TrimPrefix(o.MQTT, "mqtt://")}
	if s.insecure || o.Secure() || a.loopback() {
		return nil
	}
	return fmt.Errorf("--mqtt %s: the password of --creds would travel in the clear: use tls://%s, or --insecure on a network that you trust", o.MQTT, a.value)
}
