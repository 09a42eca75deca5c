package main

import (
	"github.com/linode/linodego"
	"github.com/miekg/dns"
)

// account returns a client of the Linode account.
func (w *world) account() linodego.Client {
	client := linodego.NewClient(nil)
	client.SetBaseURL(w.linodeURL)
	client.SetToken(token)
	return client
}

// resolve returns the name that an alias leads to, as Linode's name servers have it; "" where there is none. Fastly's
// authorities prove by it whose names are.
func (w *world) resolve(name string) (target string) {
	answer, err := dns.Exchange(new(dns.Msg).SetQuestion(dns.Fqdn(name), dns.TypeCNAME), w.nameServer)
	if err != nil {
		return ""
	}
	for _, record := range answer.Answer {
		if alias, isAlias := record.(*dns.CNAME); isAlias {
			return alias.Target
		}
	}
	return ""
}
