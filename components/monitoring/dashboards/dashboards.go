// Package dashboards makes Grafana's dashboards of what a platform declares: a home page that shows all of it on one screen, and
// a page for each station that a request comes by. Nothing is on them that the platform does not have.
package dashboards

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Platform is what the dashboards show.
type Platform struct {
	// Controller is the ingress controller: traefik or nginx.
	Controller string
	// Apps are the names of the applications and of their namespaces. The first one's holds the database and the caches.
	Apps []string
	// CDN, Database and Caches say whether there are any; Certsync whether certificates are copied to Fastly, Statistics whether
	// Fastly's are collected, and Objectives whether it is computed how well the platform serves.
	CDN, Database, Caches, Certsync, Statistics, Objectives bool
	// Logs is the uid of Grafana's data source of logs; empty where there is none.
	Logs string
	// AlertPages is the address of what docs/alerts says; empty where it has none.
	AlertPages string
}

// Dashboard is one, as Grafana reads it.
type Dashboard struct {
	// UID is its name in URLs, and the end of its file's name before .json.
	UID string
	// JSON is its text.
	JSON string
}

// homeUID is the page that Grafana shows first, at /.
const homeUID = "platform-home"

// Make returns the home page, and the pages that it leads to.
func (p *Platform) Make() (home Dashboard, stations []Dashboard, err error) {
	pages := p.stations()
	if home, err = p.home(pages).build(p, pages); err != nil {
		return home, nil, err
	}
	for _, page := range pages {
		station, err := page.build(p, pages)
		if err != nil {
			return home, nil, err
		}
		stations = append(stations, station)
	}
	return home, stations, nil
}

// stations are the pages in the order of a request, and then what carries them all.
func (p *Platform) stations() []*page {
	var pages []*page
	if p.CDN {
		pages = append(pages, p.edge())
	}
	pages = append(pages, p.origin(), p.app())
	if p.Database || p.Caches {
		pages = append(pages, p.data())
	}
	return append(pages, p.nodes(), p.delivery())
}

// Check returns the uid of a dashboard of the user's own, in the classic form that Grafana exports, and what is wrong with it.
func Check(text string) (uid string, err error) {
	var own struct{ Title, UID string }
	var syntax *json.SyntaxError
	err = json.Unmarshal([]byte(text), &own)
	switch {
	case errors.As(err, &syntax):
		return "", fmt.Errorf("is no JSON: line %d: %w", 1+strings.Count(text[:syntax.Offset], "\n"), err)
	case err != nil, own.Title == "":
		return "", errors.New("is no dashboard of Grafana's: it must be an object with a title")
	case slices.Contains(uids, own.UID):
		return "", fmt.Errorf("has the uid %s, which one of the platform's own dashboards has", own.UID)
	}
	return own.UID, nil
}
