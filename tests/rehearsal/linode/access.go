package linode

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
)

// acl is who may reach a control plane: https://techdocs.akamai.com/linode-api/reference/get-lke-cluster-acl
// It is kept and shown, but not enforced: all control planes listen on the loopback interface only.
type acl struct {
	Enabled    bool      `json:"enabled"`
	RevisionID string    `json:"revision-id,omitempty"`
	Addresses  addresses `json:"addresses"`
}

type addresses struct {
	IPv4 []string `json:"ipv4"`
	IPv6 []string `json:"ipv6"`
}

// aclRequest changes an ACL; what is nil stays as it is.
type aclRequest struct {
	Enabled    *bool  `json:"enabled"`
	RevisionID string `json:"revision-id"`
	Addresses  *struct {
		IPv4 *[]string `json:"ipv4"`
		IPv6 *[]string `json:"ipv6"`
	} `json:"addresses"`
}

// accessRoutes serves what is needed to reach a control plane.
func (a *API) accessRoutes() routes {
	clusters := a.clusters()
	const path = "/lke/clusters/{id}/"
	return routes{
		"GET " + path + "kubeconfig": clusters.on(func(_ *call, cl *cluster) (any, error) {
			if cl.Access == nil {
				return nil, cl.notYet("Cluster kubeconfig is")
			}
			return document{"kubeconfig": cl.Access.Kubeconfig}, nil // bytes are base64 in JSON, as Linode has it
		}),
		"DELETE " + path + "kubeconfig": clusters.action(func(_ *call, cl *cluster) error {
			cl.Access = nil
			a.reconcileSoon(cl.ID)
			return nil
		}),
		"GET " + path + "api-endpoints": clusters.on(func(c *call, cl *cluster) (any, error) {
			if cl.Access == nil {
				return nil, cl.notYet("Cluster API Endpoints are")
			}
			// Linode serves two ports. Here it is two names of one host, both in its certificate.
			other := strings.Replace(cl.Access.Endpoint, "127.0.0.1", "localhost", 1)
			return paginate(c, []any{document{"endpoint": cl.Access.Endpoint}, document{"endpoint": other}})
		}),
		"GET " + path + "dashboard": clusters.on(func(_ *call, cl *cluster) (any, error) {
			return document{"url": fmt.Sprintf("https://%d.dashboard.lke.invalid", cl.ID)}, nil
		}),
		"GET " + path + "control_plane_acl": clusters.on(func(_ *call, cl *cluster) (any, error) { return cl.showACL(), nil }),
		"PUT " + path + "control_plane_acl": clusters.on(updateACL),
		"DELETE " + path + "control_plane_acl": clusters.action(func(_ *call, cl *cluster) error {
			cl.ACL = acl{}
			return nil
		}),
	}
}

// notYet is the error of what a cluster has only once its control plane runs. Clients repeat such a request, unless the control
// plane cannot be started at all.
func (c *cluster) notYet(what string) error {
	if c.Failure != "" {
		return refuse(http.StatusInternalServerError, "", "%s", c.Failure)
	}
	return refuse(http.StatusServiceUnavailable, "", "%s not yet available. Please try again later.", what)
}

func updateACL(c *call, cl *cluster) (any, error) {
	var in struct {
		ACL aclRequest `json:"acl"`
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	var check checks
	in.ACL.check(&check, "acl.")
	if err := check.err(); err != nil {
		return nil, err
	}
	in.ACL.apply(&cl.ACL)
	return cl.showACL(), nil
}

func (c *cluster) showACL() any {
	shown := c.ACL
	shown.Addresses.IPv4 = append([]string{}, shown.Addresses.IPv4...)
	shown.Addresses.IPv6 = append([]string{}, shown.Addresses.IPv6...)
	return document{"acl": shown}
}

func (in *aclRequest) check(check *checks, field string) {
	if in.Addresses == nil {
		return
	}
	for _, list := range []*[]string{in.Addresses.IPv4, in.Addresses.IPv6} {
		if list == nil {
			continue
		}
		for _, address := range *list {
			_, err := network(address)
			check.that(err == nil, field+"addresses", "%s is not a valid IP address or network", address)
		}
	}
}

func (in *aclRequest) apply(to *acl) {
	if in.Enabled != nil {
		to.Enabled = *in.Enabled
	}
	to.RevisionID = in.RevisionID
	if to.RevisionID == "" {
		to.RevisionID = randomHex(16)
	}
	if in.Addresses == nil {
		return
	}
	if in.Addresses.IPv4 != nil {
		to.Addresses.IPv4 = *in.Addresses.IPv4
	}
	if in.Addresses.IPv6 != nil {
		to.Addresses.IPv6 = networks(*in.Addresses.IPv6)
	}
}

// networks writes IPv6 addresses as Linode shows them: a single one as a network of its own. Those of IPv4 it shows as they came.
func networks(list []string) []string {
	shown := make([]string, len(list))
	for i, address := range list {
		prefix, _ := network(address) // checked before
		shown[i] = prefix.String()
	}
	return shown
}

func network(address string) (netip.Prefix, error) {
	if single, err := netip.ParseAddr(address); err == nil {
		return netip.PrefixFrom(single, single.BitLen()), nil
	}
	return netip.ParsePrefix(address)
}

// randomHex is a random number of that many bytes.
func randomHex(bytes int) string {
	number := make([]byte, bytes)
	_, _ = rand.Read(number) // never fails, see its documentation
	return hex.EncodeToString(number)
}
