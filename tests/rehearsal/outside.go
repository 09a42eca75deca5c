package main

import (
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"path/filepath"
	"slices"

	"github.com/miekg/dns"
	"lke-platform/components/certificates"

	"lke-platform/tests/rehearsal/buckets"
	"lke-platform/tests/rehearsal/letsencrypt"
	"lke-platform/tests/rehearsal/linode"
	"lke-platform/tests/rehearsal/nameserver"
)

// outside is what a live rehearsal has beside the APIs of the clouds, for who comes from outside of the cluster or goes there.
type outside struct {
	// acme are Let's Encrypt's servers, by the directory that issuers name.
	acme map[string]*letsencrypt.Server
	// buckets hold what is put into them.
	buckets *buckets.Server
}

// contents counts what is in a bucket where something is; nil where nothing is kept.
func (w *world) contents(o options) func(endpoint, label string) (objects, size int) {
	if !o.live {
		return nil
	}
	return func(endpoint, label string) (objects, size int) { return w.outside.buckets.Contents(endpoint, label) }
}

// serveStorage serves the S3 API of all buckets.
func (w *world) serveStorage(o options, log *slog.Logger) (url string, err error) {
	if !o.live {
		return w.serve(w.linode.ObjectStorage(), log)
	}
	w.outside.buckets, err = buckets.Start(buckets.Options{
		Gateway: filepath.Join(o.machinePrograms(), "versitygw"), Dir: filepath.Join(o.dir(), "buckets"),
		Account: w.linode, Log: log,
	})
	if err != nil {
		return "", err
	}
	w.closers = append(w.closers, w.outside.buckets.Close)
	return w.outside.buckets.URL, nil
}

// authority answers for all names that are not in zones elsewhere.
func (w *world) authority(o options) dns.Handler {
	if !o.live {
		return w.linode
	}
	return &nameserver.Hosts{Others: w.linode, Addresses: func(host string) []netip.Addr {
		return append(w.linode.Addresses(host), w.fastly.Addresses(host)...)
	}}
}

// startAuthorities starts Let's Encrypt's two servers, that for everybody and that for tests, whose roots are not the same.
func (w *world) startAuthorities(o options, logs string) error {
	resolver, err := w.serveNames(&nameserver.Resolver{NameServer: w.nameServer, Forgets: true})
	if err != nil {
		return err
	}
	log, err := w.openLog(filepath.Join(logs, "letsencrypt.log"))
	if err != nil {
		return err
	}
	w.outside.acme = map[string]*letsencrypt.Server{}
	for kind, directory := range certificates.Servers {
		dir := filepath.Join(o.dir(), "letsencrypt", kind)
		server, err := letsencrypt.Start(letsencrypt.Options{Dir: dir, Resolver: resolver, Log: log})
		if err != nil {
			return err
		}
		w.closers = append(w.closers, server.Close)
		w.outside.acme[directory] = server
	}
	return nil
}

// roots are those that everybody trusts: not that of Let's Encrypt's server for tests.
func (o *outside) roots() []byte {
	return slices.Concat(o.acme[certificates.Servers[certificates.Production]].Roots, o.buckets.Roots)
}

// showPods leads pods to the buckets.
func (w *world) showPods() error {
	if err := w.machines.ServePublic(linode.StorageAddress.String(), w.outside.buckets.Ports()); err != nil {
		return err
	}
	return w.machines.Trust(w.outside.roots())
}

// outsideHelp says how to reach it from a sandbox.
func (w *world) outsideHelp(o options) string {
	if !o.live {
		return ""
	}
	_, port, err := net.SplitHostPort(w.resolver)
	if err != nil {
		return ""
	}
	return fmt.Sprintf(outsideHelp, port, w.storageURL)
}

// rootsFile is what certificates of public names go back to.
func (o options) rootsFile() string {
	return filepath.Join(o.dir(), "letsencrypt", certificates.Production, "roots.pem")
}

const outsideHelp = `
Names are answered by a resolver, and buckets served over S3, by their paths:

  dig -p %s @127.0.0.1 NAME
  aws s3 ls --endpoint-url %s s3://BUCKET
`
