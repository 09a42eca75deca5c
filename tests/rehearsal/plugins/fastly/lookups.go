package fastly

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/fastly/go-fastly/v12/fastly"
	p "github.com/pulumi/pulumi-go-provider"
	"github.com/pulumi/pulumi-go-provider/infer"
	"github.com/pulumi/pulumi/sdk/v3/go/property"
)

// GetFastlyIPRanges looks up the addresses that Fastly's requests to origins come from.
type GetFastlyIPRanges struct{}

// Annotate gives the look-up its official token.
func (f *GetFastlyIPRanges) Annotate(a infer.Annotator) {
	a.SetToken("index/getFastlyIpRanges", "getFastlyIpRanges")
}

// IPRanges are Fastly's addresses, in lexical order.
type IPRanges struct {
	CIDRBlocks     []string `pulumi:"cidrBlocks"`
	IPv6CIDRBlocks []string `pulumi:"ipv6CidrBlocks"`
}

// None is the input of a look-up that needs none.
type None struct{}

// Invoke asks Fastly.
func (GetFastlyIPRanges) Invoke(
	ctx context.Context, _ infer.FunctionRequest[None],
) (infer.FunctionResponse[IPRanges], error) {
	client, err := connect(ctx)
	if err != nil {
		return infer.FunctionResponse[IPRanges]{}, err
	}
	ipv4, ipv6, err := client.AllIPs(ctx)
	if err != nil {
		return infer.FunctionResponse[IPRanges]{}, fmt.Errorf("listing IP ranges: %w", err)
	}
	return infer.FunctionResponse[IPRanges]{Output: IPRanges{
		CIDRBlocks: slices.Sorted(slices.Values(ipv4)), IPv6CIDRBlocks: slices.Sorted(slices.Values(ipv6)),
	}}, nil
}

// GetDatacenters looks up Fastly's points of presence, some of which can shield.
type GetDatacenters struct{}

// Annotate gives the look-up its official token.
func (f *GetDatacenters) Annotate(a infer.Annotator) {
	a.SetToken("index/getDatacenters", "getDatacenters")
}

// Datacenters are Fastly's points of presence.
type Datacenters struct {
	Pops []Pop `pulumi:"pops"`
}

// Pop is a point of presence. Its shield is empty where it cannot be one.
type Pop struct {
	Code   string `pulumi:"code"`
	Group  string `pulumi:"group"`
	Name   string `pulumi:"name"`
	Shield string `pulumi:"shield"`
}

// Annotate gives the type its official token.
func (d *Pop) Annotate(a infer.Annotator) { a.SetToken("index/getDatacentersPop", "getDatacentersPop") }

// Invoke asks Fastly.
func (GetDatacenters) Invoke(ctx context.Context, _ infer.FunctionRequest[None]) (infer.FunctionResponse[Datacenters], error) {
	client, err := connect(ctx)
	if err != nil {
		return infer.FunctionResponse[Datacenters]{}, err
	}
	found, err := client.AllDatacenters(ctx)
	if err != nil {
		return infer.FunctionResponse[Datacenters]{}, fmt.Errorf("listing datacenters: %w", err)
	}
	datacenters := Datacenters{Pops: []Pop{}}
	for _, d := range found {
		datacenters.Pops = append(datacenters.Pops,
			Pop{Code: value(d.Code), Group: value(d.Group), Name: value(d.Name), Shield: value(d.Shield)})
	}
	return infer.FunctionResponse[Datacenters]{Output: datacenters}, nil
}

// GetTLSConfiguration looks up a TLS configuration: the one of an ID, or the only one that fits.
type GetTLSConfiguration struct{}

// Annotate gives the look-up its official token.
func (f *GetTLSConfiguration) Annotate(a infer.Annotator) {
	a.SetToken("index/getTlsConfiguration", "getTlsConfiguration")
}

// TLSConfigurationFilter says what fits: all that is given. An ID, which comes in the context, must be given alone.
type TLSConfigurationFilter struct {
	Default       *bool    `pulumi:"default,optional"`
	HTTPProtocols []string `pulumi:"httpProtocols,optional"`
	Name          *string  `pulumi:"name,optional"`
	TLSProtocols  []string `pulumi:"tlsProtocols,optional"`
	TLSService    *string  `pulumi:"tlsService,optional"`
}

// TLSConfiguration is what was found. Its lists, which are sets in the official provider, are in lexical order.
type TLSConfiguration struct {
	CreatedAt     string      `pulumi:"createdAt"`
	Default       bool        `pulumi:"default"`
	DNSRecords    []DNSRecord `pulumi:"dnsRecords"`
	HTTPProtocols []string    `pulumi:"httpProtocols"`
	Name          string      `pulumi:"name"`
	TLSProtocols  []string    `pulumi:"tlsProtocols"`
	TLSService    string      `pulumi:"tlsService"`
	UpdatedAt     string      `pulumi:"updatedAt"`
}

// DNSRecord is a target for the records of domains.
type DNSRecord struct {
	RecordType  string `pulumi:"recordType"`
	RecordValue string `pulumi:"recordValue"`
	Region      string `pulumi:"region"`
}

// Annotate gives the type its official token.
func (d *DNSRecord) Annotate(a infer.Annotator) {
	a.SetToken("index/getTlsConfigurationDnsRecord", "getTlsConfigurationDnsRecord")
}

// Invoke asks Fastly.
func (GetTLSConfiguration) Invoke(
	ctx context.Context, req infer.FunctionRequest[TLSConfigurationFilter],
) (infer.FunctionResponse[TLSConfiguration], error) {
	client, err := connect(ctx)
	if err != nil {
		return infer.FunctionResponse[TLSConfiguration]{}, err
	}
	ids := idsOf(ctx)
	var found *fastly.CustomTLSConfiguration
	if ids.wanted == "" {
		found, err = req.Input.findIn(ctx, client)
	} else if found, err = client.GetCustomTLSConfiguration(ctx,
		&fastly.GetCustomTLSConfigurationInput{ID: ids.wanted, Include: dnsRecords}); err != nil {
		err = fmt.Errorf("looking up TLS configuration %s: %w", ids.wanted, err)
	}
	if err != nil {
		return infer.FunctionResponse[TLSConfiguration]{}, err
	}
	ids.found = found.ID
	return infer.FunctionResponse[TLSConfiguration]{Output: describe(found)}, nil
}

const dnsRecords = "dns_records"

// findIn returns the only configuration of the account that fits.
func (f TLSConfigurationFilter) findIn(ctx context.Context, client *fastly.Client) (*fastly.CustomTLSConfiguration, error) {
	var fitting []*fastly.CustomTLSConfiguration
	for page := 1; ; page++ {
		list, err := client.ListCustomTLSConfigurations(ctx,
			&fastly.ListCustomTLSConfigurationsInput{PageNumber: page, Include: dnsRecords})
		if err != nil {
			return nil, fmt.Errorf("listing TLS configurations: %w", err)
		}
		if len(list) == 0 {
			break
		}
		for _, c := range list {
			if f.fits(c) {
				fitting = append(fitting, c)
			}
		}
	}
	switch len(fitting) {
	case 0:
		return nil, errors.New("your query returned no results. Please change your search criteria and try again")
	case 1:
		return fitting[0], nil
	}
	return nil, errors.New("your query returned more than one result. Please use a more specific search criteria and try again")
}

func (f TLSConfigurationFilter) fits(c *fastly.CustomTLSConfiguration) bool {
	lacks := func(wanted, has []string) bool {
		return slices.ContainsFunc(wanted, func(one string) bool { return !slices.Contains(has, one) })
	}
	name, service := value(f.Name), value(f.TLSService)
	return (f.Default == nil || *f.Default == c.Default) && (name == "" || name == c.Name) &&
		(service == "" || service == serviceOf(c)) &&
		!lacks(f.HTTPProtocols, c.HTTPProtocols) && !lacks(f.TLSProtocols, c.TLSProtocols)
}

func serviceOf(c *fastly.CustomTLSConfiguration) string {
	if c.Bulk {
		return "PLATFORM"
	}
	return "CUSTOM"
}

func describe(c *fastly.CustomTLSConfiguration) TLSConfiguration {
	described := TLSConfiguration{
		CreatedAt: value(c.CreatedAt).Format(time.RFC3339), UpdatedAt: value(c.UpdatedAt).Format(time.RFC3339),
		Default: c.Default, DNSRecords: []DNSRecord{}, Name: c.Name, TLSService: serviceOf(c),
		HTTPProtocols: slices.Sorted(slices.Values(c.HTTPProtocols)), TLSProtocols: slices.Sorted(slices.Values(c.TLSProtocols)),
	}
	for _, record := range c.DNSRecords {
		described.DNSRecords = append(described.DNSRecords,
			DNSRecord{RecordType: record.RecordType, RecordValue: record.ID, Region: record.Region})
	}
	slices.SortFunc(described.DNSRecords, func(a, b DNSRecord) int {
		return cmp.Or(cmp.Compare(a.RecordType, b.RecordType), cmp.Compare(a.RecordValue, b.RecordValue))
	})
	return described
}

// lookedUp are the IDs of a look-up, which inferred arguments and results must not have.
type lookedUp struct{ wanted, found string }

type idsKey struct{}

// idsOf returns the IDs of the look-up that is under way.
func idsOf(ctx context.Context) *lookedUp { return ctx.Value(idsKey{}).(*lookedUp) }

// tlsConfigurationToken is of the only look-up that can be given an ID.
const tlsConfigurationToken = Name + ":index/getTlsConfiguration:getTlsConfiguration"

// take takes the ID out of the arguments of a look-up; others beside it are refused.
func (l *lookedUp) take(args property.Map) (property.Map, []p.CheckFailure) {
	id, given := args.GetOk("id")
	rest := args.Delete("id")
	if !given || id.IsNull() || id.IsString() && id.AsString() == "" {
		return rest, nil
	}
	if !id.IsString() || rest.Len() > 0 {
		return rest, []p.CheckFailure{{Property: "id", Reason: "must be a text, and given alone"}}
	}
	l.wanted = id.AsString()
	return rest, nil
}
