package main

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"lke-platform/internal/cloud"
)

// withoutFastly is the finding where there is no Fastly service to look at; nil where there is one.
func (s *survey) withoutFastly() *finding {
	switch {
	case len(s.told.services()) == 0:
		return &finding{says: "the stack does without Fastly", absent: true}
	case s.told.isBypassed():
		return &finding{says: "visitors are led past Fastly (a bypass)", absent: true}
	}
	return nil
}

func (s *survey) lookAtFastly(ctx context.Context) (*finding, error) {
	if f := s.withoutFastly(); f != nil {
		return f, nil
	}
	f := &finding{more: "fastly service-version list --service-id " + s.told.ServiceID}
	var says []string
	services := s.told.services()
	for _, app := range slices.Sorted(maps.Keys(services)) {
		var service struct {
			Name   string `json:"name"`
			Paused bool   `json:"paused"`
			Active *struct {
				Number  int       `json:"number"`
				Updated time.Time `json:"updated_at"`
			} `json:"active_version"`
		}
		err := s.fastly.Get(ctx, "/service/"+services[app]+"/details", &service)
		switch {
		case cloud.IsAbsent(err):
			f.fault("service %s is gone", services[app])
		case err != nil:
			return nil, err
		case service.Active == nil:
			f.fault("no version of service %s is active", service.Name)
		case service.Paused:
			f.fault("service %s is paused", service.Name)
		default:
			says = append(says, fmt.Sprintf("version %d of %s is active, written %s ago", service.Active.Number, service.Name,
				age(s.now.Sub(service.Active.Updated))))
		}
	}
	f.says = strings.Join(says, "; ")
	return f, nil
}

// What Fastly counts of a minute comes up to a quarter of an hour later.
const counted = 20 * time.Minute

// tooMany is how many of a hundred requests may fail, and tooFew how many there have to be to tell.
const tooMany, tooFew = 1.0, 100

func (s *survey) lookAtVisitors(ctx context.Context) (*finding, error) {
	if f := s.withoutFastly(); f != nil {
		return f, nil
	}
	requests, failed, hits, misses := 0, 0, 0, 0
	for _, id := range s.told.services() {
		var answer struct {
			Data []struct {
				Requests int `json:"requests"`
				Failed   int `json:"status_5xx"`
				Hits     int `json:"hits"`
				Misses   int `json:"miss"`
			} `json:"data"`
		}
		path := fmt.Sprintf("/stats/service/%s?by=minute&from=%d&to=%d", id, s.now.Add(-counted).Unix(), s.now.Unix())
		if err := s.fastly.Get(ctx, path, &answer); err != nil {
			return nil, err
		}
		for _, minute := range answer.Data {
			requests, failed = requests+minute.Requests, failed+minute.Failed
			hits, misses = hits+minute.Hits, misses+minute.Misses
		}
	}
	if requests == 0 {
		return &finding{says: "no requests in the last " + age(counted)}, nil
	}
	share := 100 * float64(failed) / float64(requests)
	says := fmt.Sprintf("%.2f %% of %d requests failed in the last %s", share, requests, age(counted))
	if share > tooMany && requests >= tooFew {
		return &finding{faults: []string{says}, more: "fastly stats realtime --service-id " + s.told.ServiceID}, nil
	}
	if cacheable := hits + misses; cacheable > 0 {
		says += fmt.Sprintf(", %d %% came from the cache", 100*hits/cacheable)
	}
	return &finding{says: says}, nil
}

// activations are the domains that Fastly shows a certificate for, and the times at which these end.
func (s *survey) activations(ctx context.Context) (map[string]time.Time, error) {
	type related struct {
		Data struct {
			ID string `json:"id"`
		} `json:"data"`
	}
	tls := s.fastly
	tls.Accept = "application/vnd.api+json" // else nothing is included
	found := map[string]time.Time{}
	err := cloud.Pages(func(page int) (int, error) {
		var answer struct {
			Data []struct {
				Relationships struct {
					Certificate related `json:"tls_certificate"`
					Domain      related `json:"tls_domain"`
				} `json:"relationships"`
			} `json:"data"`
			Included []struct {
				ID         string `json:"id"`
				Attributes struct {
					NotAfter time.Time `json:"not_after"`
				} `json:"attributes"`
			} `json:"included"`
		}
		query := url.Values{
			"include": {"tls_certificate"}, "page[size]": {fmt.Sprint(cloud.PageSize)}, "page[number]": {fmt.Sprint(page)},
		}
		if err := tls.Get(ctx, "/tls/activations?"+query.Encode(), &answer); err != nil {
			return 0, err
		}
		ends := map[string]time.Time{}
		for _, certificate := range answer.Included {
			ends[certificate.ID] = certificate.Attributes.NotAfter
		}
		for _, one := range answer.Data {
			found[one.Relationships.Domain.Data.ID] = ends[one.Relationships.Certificate.Data.ID]
		}
		return len(answer.Data), nil
	})
	return found, err
}

func (s *survey) lookAtTLS(ctx context.Context) (*finding, error) {
	if f := s.withoutFastly(); f != nil {
		return f, nil
	}
	activated, err := s.activations(ctx)
	if err != nil {
		return nil, err
	}
	f, first, names := &finding{more: "fastly tls-custom activation list"}, ending{}, s.publicNames()
	for _, name := range names {
		end, found := activated[name]
		if !found {
			_, parent, _ := strings.Cut(name, ".")
			end, found = activated["*."+parent]
		}
		switch left := end.Sub(s.now); {
		case !found:
			f.fault("Fastly shows no certificate for %s", name)
		case end.IsZero():
			return nil, fmt.Errorf("when the certificate of %s ends Fastly does not tell", name)
		case left < shortly:
			f.fault("that of %s ends in %s", name, age(left))
		default:
			first.see(name, left)
		}
	}
	f.says = first.tell(fmt.Sprintf("Fastly shows certificates for %s", count(len(names), "name")))
	return f, nil
}
