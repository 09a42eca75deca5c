package edge

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"time"
)

// purgeMethod is what VCL sees in place of PURGE.
const purgeMethod = "FASTLYPURGE"

// purge does what was asked of the API and is not done yet.
func (e *Edge) purge() {
	all := e.options.Fastly.Purges()
	for _, purge := range all[min(e.purges, len(all)):] {
		if purge.URL != "" {
			e.purgeAddress(purge.URL, purge.Soft)
			continue
		}
		for _, s := range e.sites(purge.Service) {
			s.cache.Purge(purge.Keys, purge.Soft)
		}
	}
	e.purges = len(all)
}

// purgeAddress purges what a URL without its scheme leads to, for whoever may use the API.
func (e *Edge) purgeAddress(address string, soft bool) {
	r, err := http.NewRequest("PURGE", "https://"+address, http.NoBody)
	if err != nil {
		e.options.Log.Error("purging", "url", address, "error", err.Error())
		return
	}
	r.RemoteAddr, r.TLS = edgeAddress, &tls.ConnectionState{}
	if soft {
		r.Header.Set("Fastly-Soft-Purge", "1")
	}
	if svc := e.served.Load().find(hostOf(r)); svc != nil {
		e.purgePlace(svc, r, true)
	}
}

// purgePlace has the VCL say where the answer to a request is kept, and whether to purge it needs the API's token, and throws
// away what is there, at each site.
func (e *Edge) purgePlace(svc *service, r *http.Request, authorized bool) *answer {
	asked := r.Clone(r.Context())
	asked.Method = purgeMethod
	a := e.site(svc.deployment.ServiceID, edgeCode).ask(svc, asked)
	if a.key == "" {
		return a // the VCL has answered itself
	}
	status, text := http.StatusOK, fmt.Sprintf(`{"status": "ok", "id": "%d"}`, time.Now().UnixNano())
	if asked.Header.Get("Fastly-Purge-Requires-Auth") == "1" && !authorized {
		status, text = http.StatusUnauthorized, `{"msg": "Provided credentials are missing or invalid"}`
	} else {
		for _, s := range e.sites(svc.deployment.ServiceID) {
			s.cache.PurgeKey(a.key, r.Header.Get("Fastly-Soft-Purge") == "1")
		}
	}
	purged := plainAnswer(r, status, text)
	purged.Header.Set("Content-Type", "application/json")
	return purged
}

// sites are those that have had to do with a service.
func (e *Edge) sites(serviceID string) []*site {
	e.sitesMu.Lock()
	defer e.sitesMu.Unlock()
	var all []*site
	for _, s := range e.sitesByService[serviceID] {
		all = append(all, s)
	}
	return all
}

// site returns a site, as far as it is about a service. What it keeps outlives versions.
func (e *Edge) site(serviceID, code string) *site {
	e.sitesMu.Lock()
	defer e.sitesMu.Unlock()
	if e.sitesByService[serviceID] == nil {
		e.sitesByService[serviceID] = map[string]*site{}
	}
	sites := e.sitesByService[serviceID]
	if sites[code] == nil {
		sites[code] = newSite(code, e.options.Log, func(code string) *site { return e.site(serviceID, code) })
	}
	return sites[code]
}
