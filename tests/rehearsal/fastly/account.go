package fastly

import (
	"net/netip"
	"time"
)

func (a *API) accountRoutes() {
	a.handle("GET /current_customer", getCustomer)
	a.handle("GET /entitled-products/{product}", getEntitlement)
	a.handle("GET /current_user", func(*state, request) (any, error) { return currentUser, nil })
	a.handle("GET /tokens/self", func(*state, request) (any, error) { return currentToken, nil })
	a.handle("GET /public-ip-list", func(*state, request) (any, error) { return publicIPs, nil })
	a.handle("GET /datacenters", func(*state, request) (any, error) { return datacenters, nil })
	a.handle("GET /waf/firewalls", listFirewalls)
}

const userID = "0simulated0user0000000"

// accountCreated is when accounts were made that are not new.
var accountCreated = time.Date(2020, time.January, 1, 0, 0, 0, 0, time.UTC)

// userCreated dates the user and the token; nothing depends on it.
const userCreated = "2020-01-01T00:00:00Z"

var currentUser = object{
	"id": userID, "customer_id": customerID, "name": "Rehearsal", "login": "rehearsal@example.com", "role": "superuser",
	"created_at": userCreated, "updated_at": userCreated, "deleted_at": nil, "locked": false,
	"limit_services": false, "require_new_password": false, "two_factor_auth_enabled": nil,
}

var currentToken = object{
	"id": "0simulated0token000000", "user_id": userID, "customer_id": customerID, "name": "rehearsal", "scope": "global",
	"scopes": []string{"global"}, "services": []string{}, "created_at": userCreated, "expires_at": nil,
}

// IsOurs says whether an address is Fastly's: what public names lead to is one, too.
func IsOurs(address netip.Addr) bool {
	for _, list := range publicIPs {
		for _, network := range list.([]string) {
			if netip.MustParsePrefix(network).Contains(address) {
				return true
			}
		}
	}
	return false
}

// publicIPs are the addresses that Fastly's requests to origins come from, https://api.fastly.com/public-ip-list.
var publicIPs = object{
	"addresses": []string{
		"23.235.32.0/20", "43.249.72.0/22", "103.244.50.0/24", "103.245.222.0/23", "103.245.224.0/24", "104.156.80.0/20",
		"140.248.64.0/18", "140.248.128.0/17", "146.75.0.0/17", "151.101.0.0/16", "157.52.64.0/18", "167.82.0.0/17",
		"167.82.128.0/20", "167.82.160.0/20", "167.82.224.0/20", "172.111.64.0/18", "185.31.16.0/22", "199.27.72.0/21",
		"199.232.0.0/16",
	},
	"ipv6_addresses": []string{"2a04:4e40::/32", "2a04:4e42::/32"},
}

// listFirewalls answers for the legacy WAF, which no service can have any more; the Terraform provider still asks for it
// when a service is imported.
func listFirewalls(*state, request) (any, error) {
	return object{"data": []any{}, "links": object{}, "meta": object{"record_count": 0, "total_pages": 0}}, nil
}
