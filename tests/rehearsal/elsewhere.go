package main

import (
	"fmt"
	"strings"

	"github.com/miekg/dns"
	"lke-platform/stacks"

	"lke-platform/tests/rehearsal/nameserver"
)

// setElsewhere sets, in zones at other DNS providers, the records through which the cluster proves names: somebody has to, before
// the first `up`.
func (w *world) setElsewhere(config *stacks.Config) {
	if !config.Domains.HasExternal() {
		return
	}
	var records []dns.RR
	var names []string
	for _, record := range config.Delegations() {
		records = append(records, nameserver.Alias(record.Name, record.Values[0]))
		names = append(names, record.Name)
	}
	elsewhere := config.Domains.ExternalZones()
	atLinode, _ := config.Domains.Split(config.Domains.Names())
	w.elsewhere.Set(elsewhere, atLinode, records)
	said := "zones at other DNS providers: nobody sets the records there that `up` tells: " + strings.Join(elsewhere, ", ")
	if len(names) > 0 {
		said += fmt.Sprintf("; those that have to be there first are: %s", strings.Join(names, ", "))
	}
	w.unset = append(w.unset, said)
}
