package incluster

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/linode/linodego"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// annotationPrefix starts the annotations by which a Service tells how its NodeBalancer shall be:
// https://github.com/linode/linode-cloud-controller-manager/blob/main/docs/configuration/annotations.md
const annotationPrefix = "service.beta.kubernetes.io/linode-loadbalancer-"

// playedAnnotations are those that the rehearsal follows; port-<number> comes on top.
var playedAnnotations = []string{
	"throttle", "default-protocol", "default-proxy-protocol", "proxy-protocol", "default-algorithm", "default-stickiness",
	"check-type", "check-path", "check-body", "check-interval", "check-timeout", "check-attempts", "check-passive",
	"udp-check-port", "preserve", "nodebalancer-id", "hostname-only-ingress", "enable-ipv6-ingress", "tags", "firewall-id",
	"firewall-acl", "nodebalancer-type",
}

// unplayedAnnotations are those that the real controller follows and the rehearsal does not.
var unplayedAnnotations = []string{
	"reserved-ipv4", "retain-reserved-ipv4", "enable-ipv6-backends", "backend-ipv4-range", "backend-vpc-name",
	"backend-subnet-name", "backend-subnet-id", "frontend-subnet-id", "frontend-vpc-name", "frontend-subnet-name",
	"frontend-ipv4-range", "frontend-ipv6-range",
}

// reviewAnnotations warns of annotations that the real controller, or the rehearsal, passes over without a word.
func (b *loadBalancers) reviewAnnotations(s *corev1.Service) {
	for _, key := range slices.Sorted(maps.Keys(s.Annotations)) {
		name, ours := strings.CutPrefix(key, annotationPrefix)
		port, isPort := strings.CutPrefix(name, "port-")
		_, err := strconv.Atoi(port)
		switch {
		case !ours || isPort && err == nil || slices.Contains(playedAnnotations, name):
		case slices.Contains(unplayedAnnotations, name):
			b.notes.add(warning, "Service %s/%s: the rehearsal does not follow the annotation %s", s.Namespace, s.Name, key)
		default:
			b.notes.add(warning, "Service %s/%s: Linode knows no annotation %s", s.Namespace, s.Name, key)
		}
	}
	if annotation(s, "firewall-id") != "" && annotation(s, "firewall-acl") != "" {
		b.notes.add(warning, "Service %s/%s: of firewall-id and firewall-acl, only the first counts", s.Namespace, s.Name)
	}
	for _, name := range []string{"preserve", "hostname-only-ingress", "enable-ipv6-ingress", "check-passive"} {
		if _, err := strconv.ParseBool(annotation(s, name)); err != nil && annotation(s, name) != "" {
			b.notes.add(warning, "Service %s/%s: %s%s: %q is neither true nor false, and counts as false",
				s.Namespace, s.Name, annotationPrefix, name, annotation(s, name))
		}
	}
}

func annotation(s *corev1.Service, name string) string { return s.Annotations[annotationPrefix+name] }

func flag(s *corev1.Service, name string) bool {
	set, err := strconv.ParseBool(annotation(s, name))
	return err == nil && set
}

func number(s *corev1.Service, name string, fallback int) (int, error) {
	text := annotation(s, name)
	if text == "" {
		return fallback, nil
	}
	value, err := strconv.Atoi(text)
	if err != nil {
		return 0, fmt.Errorf("annotation %s%s: %w", annotationPrefix, name, err)
	}
	return value, nil
}

// throttle is the limit of new connections per second and client, 0 for none. What is out of range is brought into it.
func throttle(s *corev1.Service) int {
	value, err := number(s, "throttle", 0)
	if err != nil {
		return 0
	}
	return min(max(value, 0), 20)
}

func tags(clusterName string, s *corev1.Service) []string {
	tags := []string{clusterName}
	if list := annotation(s, "tags"); list != "" {
		tags = append(tags, strings.Split(list, ",")...)
	}
	return tags
}

// nodeBalancerType is common, too, where the annotation is none of the known types.
func nodeBalancerType(s *corev1.Service) linodego.NodeBalancerPlanType {
	switch asked := linodego.NodeBalancerPlanType(strings.ToLower(annotation(s, "nodebalancer-type"))); asked {
	case linodego.NBTypePremium, linodego.NBTypePremium40GB:
		return asked
	}
	return linodego.NBTypeCommon
}

// portSettings are those of the annotation port-<number>, which take precedence over those for all ports.
type portSettings struct {
	Protocol      string `json:"protocol"`
	ProxyProtocol string `json:"proxy-protocol"`
	Algorithm     string `json:"algorithm"`
	Stickiness    string `json:"stickiness"`
	TLSSecretName string `json:"tls-secret-name"`
	UDPCheckPort  string `json:"udp-check-port"`
}

func settingsOf(s *corev1.Service, port corev1.ServicePort) (portSettings, error) {
	first := func(values ...string) string {
		i := slices.IndexFunc(values, func(value string) bool { return value != "" })
		return strings.ToLower(values[i])
	}
	var own portSettings
	name := fmt.Sprintf("port-%d", port.Port)
	if text := annotation(s, name); text != "" {
		if err := json.Unmarshal([]byte(text), &own); err != nil {
			return own, fmt.Errorf("annotation %s%s: %w", annotationPrefix, name, err)
		}
	}
	own.Protocol = first(own.Protocol, annotation(s, "default-protocol"), string(port.Protocol))
	own.ProxyProtocol = first(own.ProxyProtocol, annotation(s, "default-proxy-protocol"), annotation(s, "proxy-protocol"), "none")
	own.Algorithm = first(own.Algorithm, annotation(s, "default-algorithm"), "roundrobin")
	own.Stickiness = first(own.Stickiness, annotation(s, "default-stickiness"), defaultStickiness[own.Protocol], "none")
	own.UDPCheckPort = first(own.UDPCheckPort, annotation(s, "udp-check-port"), "80")
	return own, own.validate()
}

var defaultStickiness = map[string]string{"http": "table", "https": "table", "udp": "session"}

// validate refuses what the real controller refuses.
func (p portSettings) validate() error {
	algorithms, proxies := []string{"roundrobin", "leastconn", "source"}, []string{"none", "v1", "v2"}
	stickiness := []string{"none", "http_cookie", "table"}
	if p.Protocol == "udp" {
		algorithms, proxies = []string{"roundrobin", "leastconn", "ring_hash"}, []string{"none"}
		stickiness = []string{"none", "session", "source_ip"}
	}
	for _, setting := range []struct {
		name, value string
		allowed     []string
	}{
		{"protocol", p.Protocol, []string{"tcp", "udp", "http", "https"}},
		{"proxy protocol", p.ProxyProtocol, proxies},
		{"algorithm", p.Algorithm, algorithms},
		{"stickiness", p.Stickiness, stickiness},
	} {
		if !slices.Contains(setting.allowed, setting.value) {
			return fmt.Errorf("%s %q: one of %s is wanted", setting.name, setting.value, strings.Join(setting.allowed, ", "))
		}
	}
	return nil
}

// config returns what the NodeBalancer shall do on a port.
func (b *loadBalancers) config(
	ctx context.Context, s *corev1.Service, port corev1.ServicePort,
) (config linodego.NodeBalancerConfig, err error) {
	settings, err := settingsOf(s, port)
	if err != nil {
		return config, err
	}
	config = linodego.NodeBalancerConfig{
		Port:          int(port.Port),
		Protocol:      linodego.ConfigProtocol(settings.Protocol),
		ProxyProtocol: linodego.ConfigProxyProtocol(settings.ProxyProtocol),
		Algorithm:     linodego.ConfigAlgorithm(settings.Algorithm),
		CheckPassive:  flag(s, "check-passive"),
	}
	switch config.Protocol {
	case linodego.ProtocolUDP:
		if config.UDPCheckPort, err = strconv.Atoi(settings.UDPCheckPort); err != nil {
			return config, fmt.Errorf("udp-check-port: %w", err)
		}
	case linodego.ProtocolHTTPS:
		if config.SSLCert, config.SSLKey, err = b.certificate(ctx, s.Namespace, settings.TLSSecretName); err != nil {
			return config, err
		}
	}
	if config.Protocol != linodego.ProtocolTCP {
		config.Stickiness = linodego.ConfigStickiness(settings.Stickiness)
	}
	return config, addCheck(&config, s)
}

// addCheck adds how the NodeBalancer sees whether a node serves.
func addCheck(config *linodego.NodeBalancerConfig, s *corev1.Service) (err error) {
	config.Check = linodego.ConfigCheck(annotation(s, "check-type"))
	switch config.Check {
	case "":
		config.Check = linodego.CheckConnection
		if config.Protocol == linodego.ProtocolUDP {
			config.Check = linodego.CheckNone
		}
	case linodego.CheckNone, linodego.CheckConnection:
	case linodego.CheckHTTP, linodego.CheckHTTPBody:
		config.CheckPath, config.CheckBody = "/", annotation(s, "check-body")
		if path := annotation(s, "check-path"); path != "" {
			config.CheckPath = path
		}
	default:
		return fmt.Errorf("check-type %q: one of none, connection, http, http_body is wanted", config.Check)
	}
	if config.Check == linodego.CheckHTTPBody && config.CheckBody == "" {
		return fmt.Errorf("check-type http_body needs the annotation %scheck-body", annotationPrefix)
	}
	if config.CheckInterval, err = number(s, "check-interval", 5); err != nil {
		return err
	}
	if config.CheckTimeout, err = number(s, "check-timeout", 3); err != nil {
		return err
	}
	config.CheckAttempts, err = number(s, "check-attempts", 2)
	return err
}

func (b *loadBalancers) certificate(ctx context.Context, namespace, name string) (certificate, key string, err error) {
	secret, err := b.client.CoreV1().Secrets(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return "", "", fmt.Errorf("certificate of an HTTPS port, tls-secret-name: %w", err)
	}
	trim := func(key string) string { return strings.TrimSpace(string(secret.Data[key])) }
	return trim(corev1.TLSCertKey), trim(corev1.TLSPrivateKeyKey), nil
}
