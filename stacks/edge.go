package stacks

import (
	"slices"
	"strings"

	"github.com/pulumi/pulumi-fastly/sdk/v8/go/fastly"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// edge is where names lead to.
type edge struct {
	ipv4, ipv6 []pulumi.StringInput
}

// lookUpEdge asks Fastly for the addresses of a TLS configuration, by default the account's default one. Fastly wants its
// customers' names to lead to those of the configuration that holds their certificates. The error is a field.Error where another
// configuration has to be named, or the account has none.
// Upstream: https://www.fastly.com/documentation/reference/api/tls/custom-certs/configuration/
func lookUpEdge(ctx *pulumi.Context, configuration string) (edge, error) {
	args := &fastly.GetTlsConfigurationArgs{Default: new(true)}
	if configuration != "" {
		args = &fastly.GetTlsConfigurationArgs{Id: &configuration}
	}
	path := field.NewPath("cdn", "tls", "configuration")
	found, err := fastly.GetTlsConfiguration(ctx, args)
	if err != nil && configuration != "" && strings.Contains(err.Error(), "404 - Not Found") { // the provider hands out text
		return edge{}, field.Invalid(path, configuration,
			"the Fastly account has no TLS configuration of that ID; leave the key out for its default one")
	}
	if err != nil && configuration == "" && strings.Contains(err.Error(), "returned no results") {
		return edge{}, field.Required(path, "the Fastly account has no default TLS configuration, so that there is nowhere for "+
			"names to lead to; Fastly makes one when TLS is first set up (Security, then TLS management, Get started), or its "+
			"support does: see docs/plans.md")
	}
	if err != nil {
		return edge{}, err
	}
	e := edge{ipv4: addresses(found.DnsRecords, "A"), ipv6: addresses(found.DnsRecords, "AAAA")}
	if len(e.ipv4) == 0 {
		return edge{}, field.Invalid(path, configuration, "the TLS configuration has no IPv4 address; name another one")
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
