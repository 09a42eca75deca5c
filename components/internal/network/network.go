// Package network reads lists of networks in CIDR form, and the names of endpoints.
package network

import (
	"net/netip"

	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Validate refuses what is not a network in CIDR form, written as APIs give it back, and networks that stand in the list
// twice. Anything else would read as drift: an API answers 192.0.2.1 with 192.0.2.1/32, and 192.0.2.1/24 with 192.0.2.0/24.
func Validate(path *field.Path, networks []string) field.ErrorList {
	var faults field.ErrorList
	seen := sets.New[string]()
	for i, value := range networks {
		prefix, err := netip.ParsePrefix(value)
		switch {
		case err != nil:
			faults = append(faults, field.Invalid(path.Index(i), value,
				"must be a network in CIDR form, for instance 192.0.2.1/32 or 2001:db8::/32"))
		case prefix.Masked().String() != value:
			faults = append(faults, field.Invalid(path.Index(i), value, "must be written as "+prefix.Masked().String()))
		case seen.Has(value):
			faults = append(faults, field.Duplicate(path.Index(i), value))
		}
		seen.Insert(value)
	}
	return faults
}

// Families parts networks into those of IPv4 and those of IPv6.
func Families(networks []string) (ipv4, ipv6 []string) {
	for _, value := range networks {
		if prefix, err := netip.ParsePrefix(value); err == nil && prefix.Addr().Is6() {
			ipv6 = append(ipv6, value)
		} else {
			ipv4 = append(ipv4, value)
		}
	}
	return ipv4, ipv6
}
