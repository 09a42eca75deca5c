package linode

// username is the user who owns the account.
const username = "rehearsal"

// accountRoutes serves just enough of the account and the profile for clients that ask who they are.
func (a *API) accountRoutes() routes {
	return routes{
		"GET /account": func(*call) (any, error) {
			return document{
				"company": "Rehearsal", "email": "rehearsal@example.com", "country": "US",
				"active_since": "2018-01-02T03:04:05",
				"first_name":   "", "last_name": "", "address_1": "", "address_2": "", "city": "", "state": "", "zip": "",
				"phone":  "",
				"tax_id": "", "credit_card": nil, "active_promotions": []any{}, "balance_uninvoiced": 0,
				"balance": 0, "billing_source": "linode", "euuid": "00000000-0000-4000-8000-000000000000",
				"capabilities": []string{
					"Linodes", "NodeBalancers", "Block Storage", "Object Storage", "Kubernetes", "Cloud Firewall",
					"LKE HA Control Planes", "LKE Network Access Control List (IP ACL)",
				},
			}, nil
		},
		// Nothing is announced, and nothing is due.
		"GET /account/maintenance":   func(c *call) (any, error) { return paginate(c, []any{}) },
		"GET /account/notifications": func(c *call) (any, error) { return paginate(c, []any{}) },
		"GET /account/settings":      func(c *call) (any, error) { return c.state.settings(), nil },
		"PUT /account/settings":      updateSettings,
		"GET /profile": func(*call) (any, error) {
			return document{
				"uid": 1, "username": username, "email": "rehearsal@example.com", "timezone": "GMT", "restricted": false,
				"verified_phone_number": nil, "email_notifications": true, "ip_whitelist_enabled": false,
				"lish_auth_method": "password_keys", "authorized_keys": []string{},
				"referrals":       document{"code": "", "url": "", "total": 0, "completed": 0, "pending": 0, "credit": 0},
				"two_factor_auth": true, "authentication_type": "password", "user_type": "default",
			}, nil
		},
	}
}

// settings are those of the account: https://techdocs.akamai.com/linode-api/reference/get-account-settings
// Nothing here acts on them.
type settings struct {
	Managed           bool    `json:"managed"`
	NetworkHelper     bool    `json:"network_helper"`
	Longview          *string `json:"longview_subscription"`
	BackupsEnabled    bool    `json:"backups_enabled"`
	ObjectStorage     string  `json:"object_storage"`
	Interfaces        string  `json:"interfaces_for_new_linodes"`
	MaintenancePolicy string  `json:"maintenance_policy"`
}

func (s *state) settings() settings {
	if s.Settings != nil {
		return *s.Settings
	}
	return settings{
		ObjectStorage: "active", Interfaces: "legacy_config_default_but_linode_allowed",
		MaintenancePolicy: maintenancePolicies[0],
	}
}

func updateSettings(c *call) (any, error) {
	var in struct {
		NetworkHelper     *bool   `json:"network_helper"`
		BackupsEnabled    *bool   `json:"backups_enabled"`
		Longview          *string `json:"longview_subscription"`
		Interfaces        *string `json:"interfaces_for_new_linodes"`
		MaintenancePolicy *string `json:"maintenance_policy"`
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	changed := c.state.settings()
	set(&changed.NetworkHelper, in.NetworkHelper)
	set(&changed.BackupsEnabled, in.BackupsEnabled)
	set(&changed.Interfaces, in.Interfaces)
	set(&changed.MaintenancePolicy, in.MaintenancePolicy)
	if in.Longview != nil {
		changed.Longview = in.Longview
	}
	c.state.Settings = &changed
	return changed, nil
}
