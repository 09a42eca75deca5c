package vcl

import (
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/require"
	"lke-platform/components/cdn"
)

// declared notes what the program declares.
type declared struct{ service resource.PropertyMap }

func (d *declared) NewResource(args pulumi.MockResourceArgs) (string, resource.PropertyMap, error) {
	if args.TypeToken == "fastly:index/serviceVcl:ServiceVcl" {
		d.service = args.Inputs
	}
	return "id", args.Inputs, nil
}

func (d *declared) Call(pulumi.MockCallArgs) (resource.PropertyMap, error) { return nil, nil }

// newService is the service of a site with media, as the program declares it.
func newService(t *testing.T, edit func(*cdn.Args)) *Service {
	t.Helper()
	args := cdn.Defaults()
	args.Name, args.Domains, args.OriginHost = "site", []string{"example.com", "*.example.com"}, "origin.example.com"
	args.Origin.Shield = "lga-ny-us"
	args.Media, args.MediaHost = &cdn.Media{Hosts: []string{"cdn.example.com"}}, pulumi.String("site-media.example.net")
	args.Redirects = map[string]string{"www.example.com": "example.com"}
	args.Uncached = []string{"grafana.example.com"}
	if edit != nil {
		edit(&args)
	}
	values := pulumi.StringMap{}
	for _, name := range args.SecretNames() {
		values[name] = pulumi.String("a-long-password-" + name)
	}
	args.SecretValues = values
	d := &declared{}
	require.NoError(t, pulumi.RunErr(func(ctx *pulumi.Context) error {
		_, err := cdn.New(ctx, "cdn", &args)
		return err
	}, pulumi.WithMocks("lke-platform", "test", d)))
	statements := map[string]string{}
	for _, condition := range blocks(d.service, "conditions") {
		statements[condition["name"].StringValue()] = condition["statement"].StringValue()
	}
	service := &Service{Program: blocks(d.service, "vcls")[0]["content"].StringValue(), Backends: map[string]string{}}
	for _, backend := range blocks(d.service, "backends") {
		var condition string
		if name, ok := backend["requestCondition"]; ok {
			condition = statements[name.StringValue()]
		}
		service.Backends[backend["name"].StringValue()] = condition
	}
	service.Snippets = map[string]string{}
	for _, snippet := range blocks(d.service, "snippets") {
		content := snippet["content"]
		if content.IsSecret() {
			content = content.SecretValue().Element
		}
		service.Snippets[snippet["type"].StringValue()] += content.StringValue()
	}
	return service
}

func blocks(inputs resource.PropertyMap, kind resource.PropertyKey) []resource.PropertyMap {
	if !inputs[kind].IsArray() {
		return nil
	}
	var found []resource.PropertyMap
	for _, block := range inputs[kind].ArrayValue() {
		found = append(found, block.ObjectValue())
	}
	return found
}
