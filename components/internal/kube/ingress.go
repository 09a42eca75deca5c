package kube

import (
	"maps"
	"slices"
	"strings"

	networkingv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/networking/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// IngressRules route the same paths of some hosts.
func IngressRules(hosts []string, paths ...networkingv1.HTTPIngressPathInput) networkingv1.IngressRuleArray {
	var rules networkingv1.IngressRuleArray
	for _, host := range hosts {
		rules = append(rules, networkingv1.IngressRuleArgs{
			Host: pulumi.String(host),
			Http: networkingv1.HTTPIngressRuleValueArgs{Paths: networkingv1.HTTPIngressPathArray(paths)},
		})
	}
	return rules
}

// IngressPath routes a path, and all below it, to a backend.
func IngressPath(path string, backend networkingv1.IngressServiceBackendArgs) networkingv1.HTTPIngressPathArgs {
	return networkingv1.HTTPIngressPathArgs{
		Path: pulumi.String(path), PathType: pulumi.String("Prefix"),
		Backend: networkingv1.IngressBackendArgs{Service: backend},
	}
}

// IngressTLS groups hosts by the certificate that is valid for them. Certificates are the names of Secrets, by domain.
func IngressTLS(hosts []string, certificates pulumi.StringMap) networkingv1.IngressTLSArray {
	byDomain := map[string][]string{}
	for _, host := range hosts {
		if domain, found := CertificateFor(host, certificates); found {
			byDomain[domain] = append(byDomain[domain], host)
		}
	}
	var tls networkingv1.IngressTLSArray
	for _, domain := range slices.Sorted(maps.Keys(byDomain)) {
		tls = append(tls, networkingv1.IngressTLSArgs{
			Hosts: pulumi.ToStringArray(byDomain[domain]), SecretName: certificates[domain].ToStringOutput(),
		})
	}
	return tls
}

// CertificateFor returns the domain whose certificate is valid for a host: the host itself or what it stands right below, as a
// wildcard covers one label.
func CertificateFor(host string, certificates pulumi.StringMap) (domain string, found bool) {
	_, above, _ := strings.Cut(host, ".")
	for _, domain := range []string{host, above} {
		if _, found := certificates[domain]; found {
			return domain, true
		}
	}
	return "", false
}
