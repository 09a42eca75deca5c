package linode

// username is the user who owns the account.
const username = "rehearsal"

// accountRoutes serves just enough of the account and the profile for clients that ask who they are.
func (a *API) accountRoutes() routes {
	return routes{
		"GET /account": func(*call) (any, error) {
			return document{
				"company": "Rehearsal", "email": "rehearsal@example.com", "country": "US", "active_since": "2018-01-02T03:04:05",
				"balance": 0, "billing_source": "linode", "euuid": "00000000-0000-4000-8000-000000000000",
				"capabilities": []string{
					"Linodes", "NodeBalancers", "Block Storage", "Object Storage", "Kubernetes", "Cloud Firewall",
					"LKE HA Control Planes", "LKE Network Access Control List (IP ACL)",
				},
			}, nil
		},
		"GET /profile": func(*call) (any, error) {
			return document{
				"uid": 1, "username": username, "email": "rehearsal@example.com", "timezone": "GMT", "restricted": false,
				"two_factor_auth": true, "authentication_type": "password", "user_type": "default",
			}, nil
		},
	}
}
