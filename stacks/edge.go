package stacks

import (
	"errors"
	"slices"

	"github.com/pulumi/pulumi-fastly/sdk/v8/go/fastly"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// edge is where names have to lead for Fastly to answer for them.
type edge struct {
	ipv4, ipv6 []pulumi.StringInput
}

// lookUpEdge asks Fastly for the addresses of a TLS configuration, by default the account's default one. Fastly wants its
// customers' names to lead to those of the configuration that holds their certificates.
// Upstream: https://www.fastly.com/documentation/reference/api/tls/custom-certs/configuration/
func lookUpEdge(ctx *pulumi.Context, configuration string) (edge, error) {
	args := &fastly.GetTlsConfigurationArgs{Default: new(true)}
	if configuration != "" {
		args = &fastly.GetTlsConfigurationArgs{Id: &configuration}
	}
	found, err := fastly.GetTlsConfiguration(ctx, args)
	if err != nil {
		return edge{}, err
	}
	e := edge{ipv4: addresses(found.DnsRecords, "A"), ipv6: addresses(found.DnsRecords, "AAAA")}
	if len(e.ipv4) == 0 {
		return edge{}, errors.New("the TLS configuration has no IPv4 address; name another one in cdn.tls.configuration")
	}
	return e, nil
}

// addresses are those of one type that serve all over the world, sorted: Fastly tells them in no order.
func addresses(records []fastly.GetTlsConfigurationDnsRecord, recordType string) []pulumi.StringInput {
	var found []string
	for _, record := range records {
		if record.RecordType == recordType && record.Region == "global" {
			found = append(found, record.RecordValue)
		}
	}
	slices.Sort(found)
	var inputs []pulumi.StringInput
	for _, address := range found {
		inputs = append(inputs, pulumi.String(address))
	}
	return inputs
}
