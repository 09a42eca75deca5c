package main

import (
	"context"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net"
	"net/netip"

	"lke-platform/tests/rehearsal/edge"
	"lke-platform/tests/rehearsal/fastly"
	"lke-platform/tests/rehearsal/internet"
	"lke-platform/tests/rehearsal/linode"
	"lke-platform/tests/rehearsal/nameserver"
)

// The addresses that NodeBalancers see: of visitors, and of Fastly when it asks for what it has no copy of.
var visitorsAddress, fastlysAddress = netip.MustParseAddr("203.0.113.7"), netip.MustParseAddr("151.101.2.10")

// startTraffic serves what is active at the simulated Fastly, and has public names lead to it. Names lead where the zones say.
func (w *world) startTraffic(log *slog.Logger) (err error) {
	resolve := func(ctx context.Context, host string) ([]netip.Addr, error) {
		return nameserver.Addresses(ctx, w.resolver, host)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(w.outside.roots())
	w.edge, err = edge.New(edge.Options{
		Fastly: w.fastly, Resolve: resolve, Dial: w.dialAs(fastlysAddress), Roots: roots, Log: log,
	})
	if err != nil {
		return err
	}
	w.closers = append(w.closers, w.edge.Close)
	w.internet, err = internet.New(internet.Options{Resolve: resolve, Dial: w.dial})
	if err != nil {
		return err
	}
	w.closers = append(w.closers, w.internet.Close)
	return nil
}

// dial connects a visitor to a public address of the simulated clouds. Nothing leaves the computer.
func (w *world) dial(ctx context.Context, network, address string) (net.Conn, error) {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return nil, err
	}
	if !fastly.IsOurs(to.Addr()) {
		return w.dialAs(visitorsAddress)(ctx, network, address)
	}
	at := map[uint16]string{80: w.edge.PlainAddress(), 443: w.edge.Address()}[to.Port()]
	if at == "" {
		return nil, fmt.Errorf("nothing listens at %s: of Fastly's ports there are 80 and 443", address)
	}
	var dialer net.Dialer
	return dialer.DialContext(ctx, network, at)
}

// dialAs connects who has an address to what is at Linode: buckets, and NodeBalancers, which see the address.
func (w *world) dialAs(client netip.Addr) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		if to, err := netip.ParseAddrPort(address); err == nil && to.Addr() == linode.StorageAddress {
			return w.outside.buckets.Dial(ctx, network, address)
		}
		return w.balancers.Dial(client)(ctx, network, address)
	}
}

// atHand is the image of a repository where containers run and it is at hand.
func (w *world) atHand(repository string) string {
	if w.machines == nil {
		return ""
	}
	return w.machines.AtHand(repository)
}
