package main

import (
	"context"
	"strings"

	"github.com/linode/linodego"
)

// resolve returns the name that an alias leads to, in the zones that Linode has; "" where there is none. Fastly's authorities
// prove by it whose names are.
func (w *world) resolve(name string) (target string) {
	ctx := context.Background()
	client := linodego.NewClient(nil)
	client.SetBaseURL(w.linodeURL)
	client.SetToken(token)
	zones, err := client.ListDomains(ctx, nil)
	if err != nil {
		return ""
	}
	for _, zone := range zones {
		relative, inside := strings.CutSuffix(name, "."+zone.Domain)
		if !inside {
			continue
		}
		records, err := client.ListDomainRecords(ctx, zone.ID, nil)
		if err != nil {
			return ""
		}
		for _, record := range records {
			if record.Type == linodego.RecordTypeCNAME && record.Name == relative {
				return record.Target
			}
		}
	}
	return ""
}
