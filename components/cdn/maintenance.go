package cdn

import (
	"fmt"
	"net/netip"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Maintenance is a page that visitors see in place of the application, with status 503.
type Maintenance struct {
	// Page is a file of HTML in the project's folder.
	Page string `json:"page"`
	// Except are networks whose visitors go on seeing the application, for instance 192.0.2.0/24.
	Except []string `json:"except"`
}

func (a *Args) validateMaintenance(path *field.Path) field.ErrorList {
	if a.Maintenance == nil {
		return nil
	}
	var faults field.ErrorList
	if _, err := a.page(a.Maintenance.Page); err != nil {
		faults = append(faults, field.Invalid(path.Child("page"), a.Maintenance.Page, err.Error()))
	}
	for i, network := range a.Maintenance.Except {
		prefix, err := netip.ParsePrefix(network)
		if err != nil || prefix != prefix.Masked() || prefix.Addr().Is4In6() {
			faults = append(faults, field.Invalid(path.Child("except").Index(i), network,
				"must be a network, for instance 192.0.2.0/24"))
		}
	}
	return faults
}

// maintenancePage is what visitors see in place of the application; "" where they see that.
func (a *Args) maintenancePage() (string, error) {
	if a.Maintenance == nil {
		return "", nil
	}
	return a.page(a.Maintenance.Page)
}

// excepted are the networks that go on seeing the application, as VCL has them. Validate has found them to be networks.
func (a *Args) excepted() (entries []string) {
	if a.Maintenance == nil {
		return nil
	}
	for _, network := range a.Maintenance.Except {
		prefix, _ := netip.ParsePrefix(network)
		entries = append(entries, fmt.Sprintf(`"%s"/%d`, prefix.Addr(), prefix.Bits()))
	}
	return entries
}
