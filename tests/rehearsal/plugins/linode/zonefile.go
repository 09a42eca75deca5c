package linode

import (
	"context"
	"fmt"

	"github.com/pulumi/pulumi-go-provider/infer"
)

// GetDomainZonefile reads a zone as its name servers do.
// Upstream: https://www.pulumi.com/registry/packages/linode/api-docs/getdomainzonefile/
type GetDomainZonefile struct{}

// GetDomainZonefileArgs name the zone.
type GetDomainZonefileArgs struct {
	DomainID int `pulumi:"domainId"`
}

// GetDomainZonefileResult has the file, line by line.
type GetDomainZonefileResult struct {
	GetDomainZonefileArgs

	ZoneFiles []string `pulumi:"zoneFiles"`
}

// Annotate sets the token.
func (f *GetDomainZonefile) Annotate(a infer.Annotator) {
	a.SetToken("index/getDomainZonefile", "getDomainZonefile")
}

// Invoke asks the API.
func (*GetDomainZonefile) Invoke(
	ctx context.Context, req infer.FunctionRequest[GetDomainZonefileArgs],
) (resp infer.FunctionResponse[GetDomainZonefileResult], err error) {
	file, err := clientOf(ctx).GetDomainZoneFile(ctx, req.Input.DomainID)
	if err != nil {
		return resp, fmt.Errorf("reading zone %d: %w", req.Input.DomainID, err)
	}
	resp.Output = GetDomainZonefileResult{GetDomainZonefileArgs: req.Input, ZoneFiles: file.ZoneFile}
	return resp, nil
}
