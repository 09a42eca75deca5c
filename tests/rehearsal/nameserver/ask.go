package nameserver

import (
	"context"
	"fmt"
	"net"
	"net/netip"

	"github.com/miekg/dns"
)

// Ask returns what a server answers to a question, all of it.
func Ask(ctx context.Context, server, name string, recordType uint16) (*dns.Msg, error) {
	query := new(dns.Msg).SetQuestion(dns.Fqdn(name), recordType)
	answer, err := dns.ExchangeContext(ctx, query, server)
	if err != nil || !answer.Truncated {
		return answer, err
	}
	answer, _, err = (&dns.Client{Net: "tcp"}).ExchangeContext(ctx, query, server)
	return answer, err
}

// Addresses are those of a host, of both families, as a resolver has them. That there are none is an error.
func Addresses(ctx context.Context, resolver, host string) (addresses []netip.Addr, err error) {
	for _, recordType := range []uint16{dns.TypeA, dns.TypeAAAA} {
		answer, err := Ask(ctx, resolver, host, recordType)
		if err != nil {
			return nil, fmt.Errorf("nameserver: looking for %s: %w", host, err)
		}
		if answer.Rcode != dns.RcodeSuccess && answer.Rcode != dns.RcodeNameError {
			return nil, &net.DNSError{Err: dns.RcodeToString[answer.Rcode], Name: host, Server: resolver, IsTemporary: true}
		}
		for _, record := range answer.Answer {
			switch record := record.(type) {
			case *dns.A:
				addresses = append(addresses, netip.AddrFrom4([4]byte(record.A.To4())))
			case *dns.AAAA:
				addresses = append(addresses, netip.AddrFrom16([16]byte(record.AAAA.To16())))
			}
		}
	}
	if len(addresses) == 0 {
		return nil, &net.DNSError{Err: "no such host", Name: host, Server: resolver, IsNotFound: true}
	}
	return addresses, nil
}
