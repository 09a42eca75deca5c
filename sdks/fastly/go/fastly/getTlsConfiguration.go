package fastly

import "github.com/pulumi/pulumi/sdk/v3/go/pulumi"

// GetTlsConfiguration looks up a TLS configuration, and with it the targets for the records of domains. It fails unless
// exactly one fits.
// Upstream: https://www.pulumi.com/registry/packages/fastly/api-docs/gettlsconfiguration/
func GetTlsConfiguration(
	ctx *pulumi.Context, args *GetTlsConfigurationArgs, opts ...pulumi.InvokeOption,
) (*GetTlsConfigurationResult, error) {
	var result GetTlsConfigurationResult
	opts = append([]pulumi.InvokeOption{pulumi.Version(pluginVersion)}, opts...)
	if err := ctx.Invoke("fastly:index/getTlsConfiguration:getTlsConfiguration", args, &result, opts...); err != nil {
		return nil, err
	}
	return &result, nil
}

// GetTlsConfigurationArgs say which configuration: all that are given must fit.
type GetTlsConfigurationArgs struct {
	// Default fits the one that activations are made with when they do not say.
	Default *bool `pulumi:"default"`
	// HttpProtocols are some that it must have, such as http/2.
	HttpProtocols []string `pulumi:"httpProtocols"`
	// Id is given alone.
	Id   *string `pulumi:"id"`
	Name *string `pulumi:"name"`
	// TlsProtocols are some that it must have, such as 1.3.
	TlsProtocols []string `pulumi:"tlsProtocols"`
	// TlsService is CUSTOM or PLATFORM.
	TlsService *string `pulumi:"tlsService"`
}

// GetTlsConfigurationResult is the answer of GetTlsConfiguration.
type GetTlsConfigurationResult struct {
	CreatedAt     string                         `pulumi:"createdAt"`
	Default       bool                           `pulumi:"default"`
	DnsRecords    []GetTlsConfigurationDnsRecord `pulumi:"dnsRecords"`
	HttpProtocols []string                       `pulumi:"httpProtocols"`
	Id            string                         `pulumi:"id"`
	Name          string                         `pulumi:"name"`
	TlsProtocols  []string                       `pulumi:"tlsProtocols"`
	TlsService    string                         `pulumi:"tlsService"`
	UpdatedAt     string                         `pulumi:"updatedAt"`
}

// GetTlsConfigurationDnsRecord is a target for the records of domains.
type GetTlsConfigurationDnsRecord struct {
	// RecordType is A, AAAA or CNAME.
	RecordType string `pulumi:"recordType"`
	// RecordValue is an address or, for CNAME, a name without the dot at its end.
	RecordValue string `pulumi:"recordValue"`
	// Region is global, or us-eu for less than all the world.
	Region string `pulumi:"region"`
}
