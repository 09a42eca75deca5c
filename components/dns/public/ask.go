// Package public asks public DNS.
package public

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"sync/atomic"
)

// ServerVariable names the environment variable with the address of a name server (host:port) that is asked in place of all
// others, as a rehearsal does.
const ServerVariable = "DNS_SERVER"

// Ask returns what public DNS holds for a name, sorted: its addresses of a type (A, AAAA), or where its alias leads (CNAME).
// The name servers of the zone are asked themselves: resolvers would remember that a record was not there yet, and say so to
// cert-manager, and to visitors.
func Ask(ctx context.Context, zone, name, recordType string) (values []string, err error) {
	name = strings.Replace(name, "*.", "any-name.", 1) // a wildcard is no name that could be looked up
	servers, err := authority(ctx, zone)
	if err != nil {
		return nil, fmt.Errorf("finding the name servers of %s: %w", zone, err)
	}
	if recordType == "CNAME" {
		target, err := servers.LookupCNAME(ctx, name+".")
		if target = strings.TrimSuffix(target, "."); err == nil && target != name {
			values = []string{target}
		}
		return values, unlessNone(err)
	}
	addresses, err := servers.LookupNetIP(ctx, map[string]string{"A": "ip4", "AAAA": "ip6"}[recordType], name+".")
	for _, address := range addresses {
		values = append(values, address.Unmap().String())
	}
	slices.Sort(values)
	return values, unlessNone(err)
}

// unlessNone makes no error of the answer that there is no such record.
func unlessNone(err error) error {
	var answer *net.DNSError
	if errors.As(err, &answer) && answer.IsNotFound {
		return nil
	}
	return err
}

// authority finds the name servers of a domain: its own, or those of the zone that it is part of.
func authority(ctx context.Context, domain string) (*net.Resolver, error) {
	for ; strings.Contains(domain, "."); _, domain, _ = strings.Cut(domain, ".") {
		servers, err := resolver().LookupNS(ctx, domain+".")
		if unlessNone(err) != nil {
			return nil, err
		}
		var addresses []string
		for _, server := range servers {
			addresses = append(addresses, net.JoinHostPort(strings.TrimSuffix(server.Host, "."), "53"))
		}
		if len(addresses) > 0 {
			return resolver(addresses...), nil
		}
	}
	return nil, errors.New("there are none; is the domain registered?")
}

// NameServers are those that public DNS names for a zone. None are no error.
func NameServers(ctx context.Context, zone string) (names []string, err error) {
	const everybodys = "1.1.1.1:53" // which shows what everybody sees
	servers, err := resolver(everybodys).LookupNS(ctx, zone+".")
	for _, server := range servers {
		names = append(names, server.Host)
	}
	return names, unlessNone(err)
}

// resolver asks some servers by turns; none are those of this machine.
func resolver(servers ...string) *net.Resolver {
	var asked atomic.Int64
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, own string) (net.Conn, error) {
		server := own
		if len(servers) > 0 {
			server = servers[int(asked.Add(1)-1)%len(servers)]
		}
		return new(net.Dialer).DialContext(ctx, network, cmp.Or(os.Getenv(ServerVariable), server))
	}}
}
