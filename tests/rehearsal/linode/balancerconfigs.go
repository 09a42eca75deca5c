package linode

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// configView is a port of a load balancer as clients see it:
// https://techdocs.akamai.com/linode-api/reference/get-node-balancer-config
// Certificates and keys are not kept: nothing uses them, and Linode never shows them.
type configView struct {
	ID                int         `json:"id"`
	NodeBalancerID    int         `json:"nodebalancer_id"`
	Port              int         `json:"port"`
	Protocol          string      `json:"protocol"`
	ProxyProtocol     string      `json:"proxy_protocol"`
	Algorithm         string      `json:"algorithm"`
	Stickiness        string      `json:"stickiness"`
	Check             string      `json:"check"`
	CheckInterval     int         `json:"check_interval"` // seconds
	CheckTimeout      int         `json:"check_timeout"`  // seconds
	CheckAttempts     int         `json:"check_attempts"`
	CheckPath         string      `json:"check_path"`
	CheckBody         string      `json:"check_body"`
	CheckPassive      bool        `json:"check_passive"`
	UDPCheckPort      int         `json:"udp_check_port"`
	UDPSessionTimeout int         `json:"udp_session_timeout"` // seconds
	CipherSuite       string      `json:"cipher_suite"`
	SSLCert           *string     `json:"ssl_cert"`
	SSLKey            *string     `json:"ssl_key"`
	SSLCommonName     string      `json:"ssl_commonname"`
	SSLFingerprint    string      `json:"ssl_fingerprint"`
	NodesStatus       nodesStatus `json:"nodes_status"`
}

// balancerConfig is a port with the backends behind it.
type balancerConfig struct {
	configView

	Backends []*backend `json:"backends"`
}

// nodesStatus counts backends.
type nodesStatus struct {
	Up   int `json:"up"`
	Down int `json:"down"`
}

func (a *API) balancerConfigRoutes() routes {
	const path = "/nodebalancers/{balancer}/configs"
	configs := collection[*balancerConfig]{
		path:   path,
		items:  func(c *call) ([]*balancerConfig, error) { nb, err := c.nodeBalancer(); return nb.Configs, err },
		id:     func(config *balancerConfig) string { return strconv.Itoa(config.ID) },
		show:   a.showConfig,
		create: a.createConfig,
		update: updateConfig,
		delete: func(c *call, config *balancerConfig) error {
			nb, err := c.nodeBalancer()
			nb.Configs = without(nb.Configs, config)
			return err
		},
	}
	r := configs.routes()
	r["POST "+path+"/{id}/rebuild"] = configs.on(func(c *call, config *balancerConfig) (any, error) {
		err := rebuildConfig(c, config)
		return a.showConfig(c, config), err
	})
	return r
}

func (a *API) showConfig(c *call, config *balancerConfig) any {
	shown := config.configView
	for _, b := range config.Backends {
		if a.health(c.state, b) == up {
			shown.NodesStatus.Up++
		} else {
			shown.NodesStatus.Down++
		}
	}
	return shown
}

// config is the one in the path. With an error it is an empty one.
func (c *call) config() (*balancerConfig, error) {
	nb, err := c.nodeBalancer()
	if err != nil {
		return &balancerConfig{}, err
	}
	return through(c, "config", nb.Configs, func(config *balancerConfig) int { return config.ID })
}

// configRequest creates or updates a port; what is nil stays as it is.
type configRequest struct {
	Port          *int             `json:"port"`
	Protocol      *string          `json:"protocol"`
	ProxyProtocol *string          `json:"proxy_protocol"`
	Algorithm     *string          `json:"algorithm"`
	Stickiness    *string          `json:"stickiness"`
	Check         *string          `json:"check"`
	CheckInterval *int             `json:"check_interval"`
	CheckTimeout  *int             `json:"check_timeout"`
	CheckAttempts *int             `json:"check_attempts"`
	CheckPath     *string          `json:"check_path"`
	CheckBody     *string          `json:"check_body"`
	CheckPassive  *bool            `json:"check_passive"`
	UDPCheckPort  *int             `json:"udp_check_port"`
	CipherSuite   *string          `json:"cipher_suite"`
	SSLCert       *string          `json:"ssl_cert"`
	SSLKey        *string          `json:"ssl_key"`
	Nodes         []backendRequest `json:"nodes"`
}

func (a *API) createConfig(c *call) (any, error) {
	nb, err := c.nodeBalancer()
	if err != nil {
		return nil, err
	}
	var in configRequest
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	changed := *nb
	var check checks
	config := changed.addConfig(&check, "", in)
	if err := check.err(); err != nil {
		return nil, err
	}
	config.identify(c.state, nb.ID)
	*nb = changed
	return a.showConfig(c, config), nil
}

// addConfig adds a port, which has no ID yet.
func (nb *nodeBalancer) addConfig(check *checks, field string, in configRequest) *balancerConfig {
	config := &balancerConfig{configView: configView{
		Port: 80, Protocol: "http", ProxyProtocol: "none", Algorithm: "roundrobin", Check: "none", CheckInterval: 31,
		CheckTimeout: 30, CheckAttempts: 3, UDPCheckPort: 80, UDPSessionTimeout: 16,
	}}
	config.CheckPassive = in.Protocol == nil || *in.Protocol != "udp"
	in.apply(config)
	config.replaceBackends(check, field, in.Nodes)
	config.check(check, field, nb.Configs)
	nb.Configs = append(slices.Clip(nb.Configs), config)
	return config
}

func updateConfig(c *call, config *balancerConfig) error {
	return changeConfig(c, config, func(*checks, *balancerConfig, configRequest) {})
}

// rebuildConfig changes a port and replaces its backends. Those that are named by their IDs stay.
func rebuildConfig(c *call, config *balancerConfig) error {
	return changeConfig(c, config, func(check *checks, changed *balancerConfig, in configRequest) {
		changed.replaceBackends(check, "", in.Nodes)
	})
}

func changeConfig(c *call, config *balancerConfig, also func(*checks, *balancerConfig, configRequest)) error {
	nb, err := c.nodeBalancer()
	if err != nil {
		return err
	}
	var in configRequest
	if err := c.decode(&in); err != nil {
		return err
	}
	changed := *config
	in.apply(&changed)
	var check checks
	also(&check, &changed, in)
	changed.check(&check, "", nb.Configs)
	if err := check.err(); err != nil {
		return err
	}
	changed.identify(c.state, nb.ID)
	*config = changed
	return nil
}

// identify gives the port and its backends the IDs that they lack.
func (config *balancerConfig) identify(s *state, balancer int) {
	config.NodeBalancerID = balancer
	if config.ID == 0 {
		config.ID = s.newID()
	}
	for _, b := range config.Backends {
		b.NodeBalancerID, b.ConfigID = balancer, config.ID
		if b.ID == 0 {
			b.ID = s.newID()
		}
	}
}

func (in configRequest) apply(config *balancerConfig) {
	set(&config.Port, in.Port)
	set(&config.Protocol, in.Protocol)
	set(&config.ProxyProtocol, in.ProxyProtocol)
	set(&config.Algorithm, in.Algorithm)
	set(&config.Stickiness, in.Stickiness)
	set(&config.Check, in.Check)
	set(&config.CheckInterval, in.CheckInterval)
	set(&config.CheckTimeout, in.CheckTimeout)
	set(&config.CheckAttempts, in.CheckAttempts)
	set(&config.CheckPath, in.CheckPath)
	set(&config.CheckBody, in.CheckBody)
	set(&config.CheckPassive, in.CheckPassive)
	set(&config.UDPCheckPort, in.UDPCheckPort)
	set(&config.CipherSuite, in.CipherSuite)
	const redacted = "<REDACTED>"
	if in.SSLCert != nil {
		config.SSLCert = new(redacted)
	}
	if in.SSLKey != nil {
		config.SSLKey = new(redacted)
	}
	udp := config.Protocol == "udp"
	config.Stickiness = cmp.Or(config.Stickiness, pick(udp, "session", "none"))
	config.CipherSuite = cmp.Or(config.CipherSuite, pick(udp, "none", "recommended"))
}

func pick(first bool, one, other string) string {
	if first {
		return one
	}
	return other
}

// check holds the port against the others of its load balancer. One number can serve TCP and UDP.
func (config *balancerConfig) check(check *checks, field string, others []*balancerConfig) {
	one := func(value, name string, allowed ...string) {
		check.that(slices.Contains(allowed, value), field+name, "Must be one of %s", strings.Join(allowed, ", "))
	}
	within := func(value int, name string, low, high int) {
		check.that(value >= low && value <= high, field+name, "Must be %d-%d", low, high)
	}
	one(config.Protocol, "protocol", "http", "https", "tcp", "udp")
	one(config.Check, "check", "none", "connection", "http", "http_body")
	udp := config.Protocol == "udp"
	if udp {
		one(config.Algorithm, "algorithm", "roundrobin", "leastconn", "ring_hash")
		one(config.Stickiness, "stickiness", "none", "session", "source_ip")
		check.that(!config.CheckPassive, field+"check_passive", "Not available for UDP")
	} else {
		one(config.Algorithm, "algorithm", "roundrobin", "leastconn", "source")
		one(config.Stickiness, "stickiness", "none", "table", "http_cookie")
	}
	if config.Protocol == "tcp" {
		one(config.ProxyProtocol, "proxy_protocol", "none", "v1", "v2")
	} else {
		check.that(config.ProxyProtocol == "none", field+"proxy_protocol", "Only available for TCP")
	}
	within(config.Port, "port", 1, 65535)
	within(config.UDPCheckPort, "udp_check_port", 1, 65535)
	within(config.CheckInterval, "check_interval", 2, 3600)
	within(config.CheckTimeout, "check_timeout", 1, 30)
	within(config.CheckAttempts, "check_attempts", 1, 30)
	check.that(!strings.HasPrefix(config.Check, "http") || config.CheckPath != "", field+"check_path", "check_path is required")
	check.that(config.Check != "http_body" || config.CheckBody != "", field+"check_body", "check_body is required")
	certified := config.SSLCert != nil && config.SSLKey != nil
	check.that(config.Protocol != "https" || certified, field+"ssl_cert", "ssl_cert and ssl_key are required for HTTPS")
	rival := func(o *balancerConfig) bool {
		itself := o.ID == config.ID && o.ID != 0
		return !itself && o.Port == config.Port && (o.Protocol == "udp") == udp
	}
	check.that(find(others, rival) == nil, field+"port", "Port %d is already in use", config.Port)
}
