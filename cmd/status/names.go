package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"lke-platform/components/dns/public"
)

// publicNames are those that visitors use.
func (s *survey) publicNames() (names []string) {
	records, _ := s.told.hosts()
	for _, r := range slices.Concat(records, s.told.Records) {
		if r.Type == "A" {
			names = append(names, r.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// lookAtNames asks public DNS whether names lead where Pulumi says that they do.
func (s *survey) lookAtNames(ctx context.Context) (*finding, error) {
	records, origin := s.told.hosts()
	records = slices.Concat(records, origin, s.told.Records)
	if len(records) == 0 {
		return &finding{says: "there are none yet", absent: true}, nil
	}
	faults, failures := make([]string, len(records)), make([]error, len(records))
	var looks sync.WaitGroup
	for i, r := range records {
		looks.Go(func() {
			var found []string
			found, failures[i] = public.Ask(ctx, r.Zone, r.Name, r.Type)
			slices.Sort(r.Values)
			if failures[i] == nil && !slices.Equal(found, r.Values) {
				faults[i] = fmt.Sprintf("%s %s is %s in place of %s", r.Name, r.Type, listed(found), listed(r.Values))
			}
		})
	}
	looks.Wait()
	f := &finding{more: "make drift STACK=" + s.stack}
	if len(s.told.Records) > 0 {
		f.more = "make records STACK=" + s.stack
	}
	for i := range records {
		if faults[i] != "" {
			f.faults = append(f.faults, faults[i])
		}
	}
	if len(f.faults) == 0 { // else something is known
		for _, err := range failures {
			if err != nil {
				return nil, err
			}
		}
	}
	slices.Sort(f.faults)
	to := "to Fastly"
	if s.withoutFastly() != nil {
		to = "to the NodeBalancer"
	}
	f.says = fmt.Sprintf("all lead %s (%d)", to, len(s.publicNames()))
	return f, nil
}

func listed(values []string) string {
	if len(values) == 0 {
		return "missing"
	}
	return strings.Join(values, ", ")
}
