package program

import (
	"cmp"
	"time"

	"lke-platform/tests/rehearsal/fastly"
)

// Backend is a server behind the edge, as the version has it.
type Backend struct {
	Name    string // in VCL
	Address string
	Port    int
	Weight  int
	// TLS, and how: what is asked for, and what the certificate is checked against.
	TLS, CheckCertificate        bool
	ServerName, CertificateName  string
	Authority                    string // PEM
	ClientCertificate, ClientKey string // PEM
	MinTLS, MaxTLS               string
	// OverrideHost is the Host that goes out instead of the visitor's.
	OverrideHost                     string
	Connect, FirstByte, BetweenBytes time.Duration
	MaxConnections                   int
	Health                           *HealthCheck // nil where there is none
}

// HealthCheck is how a backend is asked how it is.
type HealthCheck struct {
	Method, Host, Path         string
	Headers                    []string // lines
	Expected                   int      // status
	Interval, Timeout          time.Duration
	Window, Threshold, Initial int
}

// Backends are those of a version.
func Backends(d *fastly.Deployment) []Backend {
	checks := map[string]*HealthCheck{}
	for _, check := range objects(d, "healthcheck") {
		checks[check.text("name")] = &HealthCheck{
			Method: check.text("method"), Host: check.text("host"), Path: check.text("path"), Headers: check.list("headers"),
			Expected: check.number("expected_response"), Interval: max(check.milliseconds("check_interval"), time.Millisecond),
			Timeout: check.milliseconds("timeout"), Window: check.number("window"), Threshold: check.number("threshold"),
			Initial: check.number("initial"),
		}
	}
	var backends []Backend
	for _, b := range objects(d, "backend") {
		backends = append(backends, Backend{
			Name: BackendName(b.text("name")), Address: b.text("address"), Port: b.number("port"), Weight: b.number("weight"),
			TLS: b.flag("use_ssl"), CheckCertificate: b.flag("ssl_check_cert"),
			ServerName:        cmp.Or(b.text("ssl_sni_hostname"), b.text("ssl_hostname"), b.text("address")),
			CertificateName:   cmp.Or(b.text("ssl_cert_hostname"), b.text("ssl_hostname"), b.text("address")),
			Authority:         b.text("ssl_ca_cert"),
			ClientCertificate: b.text("ssl_client_cert"), ClientKey: b.text("ssl_client_key"),
			MinTLS: b.text("min_tls_version"), MaxTLS: b.text("max_tls_version"), OverrideHost: b.text("override_host"),
			Connect: b.milliseconds("connect_timeout"), FirstByte: b.milliseconds("first_byte_timeout"),
			BetweenBytes: b.milliseconds("between_bytes_timeout"), MaxConnections: max(b.number("max_conn"), 1),
			Health: checks[b.text("healthcheck")],
		})
	}
	return backends
}

// Director chooses among backends.
type Director struct {
	Name     string // in VCL
	Kind     string // random, hash or client
	Quorum   int    // percent of the weight that has to be well
	Backends []string
}

// directorKinds are those that the API can make.
var directorKinds = map[int]string{1: "random", 3: "hash", 4: "client"}

// Directors are those of a version, and those that Fastly makes of backends that are balanced by themselves.
func Directors(d *fastly.Deployment) []Director {
	var directors []Director
	for _, o := range objects(d, "director") {
		director := Director{Name: identifier(o.text("name")), Kind: directorKinds[o.number("type")], Quorum: o.number("quorum")}
		for _, name := range o.list("backends") {
			director.Backends = append(director.Backends, BackendName(name))
		}
		directors = append(directors, director)
	}
	automatic := map[string]int{}
	for _, b := range objects(d, "backend") {
		if !b.flag("auto_loadbalance") {
			continue
		}
		name := directorOf(b.text("request_condition"))
		if _, known := automatic[name]; !known {
			automatic[name] = len(directors)
			directors = append(directors, Director{Name: name, Kind: "random"})
		}
		director := &directors[automatic[name]]
		director.Backends = append(director.Backends, BackendName(b.text("name")))
	}
	return directors
}

// Shields are the codes of the sites that shield, by what VCL calls them.
func Shields(d *fastly.Deployment) map[string]string {
	shields := map[string]string{}
	for _, b := range objects(d, "backend") {
		if shield := b.text("shield"); shield != "" {
			shields[ShieldName(shield)] = shield
		}
	}
	return shields
}

// HasProduct says whether a product is enabled.
func HasProduct(d *fastly.Deployment, product string) bool {
	for _, enabled := range d.Products {
		if enabled == product {
			return true
		}
	}
	return false
}
