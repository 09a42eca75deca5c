package cloud

import (
	"cmp"
	"os"
	"regexp"
	"strings"
)

// version ends the address of Linode's API; where it is missing, Linode's own clients add it.
var version = regexp.MustCompile(`/v\d\w*$`)

// Linode is the API that the variables of Linode's provider lead to.
func Linode() API {
	linode := API{
		URL:    strings.TrimSuffix(cmp.Or(os.Getenv("LINODE_URL"), "https://api.linode.com"), "/"),
		Header: "Authorization", Token: "Bearer " + os.Getenv("LINODE_TOKEN"),
	}
	if !version.MatchString(linode.URL) {
		linode.URL += "/v4"
	}
	return linode
}

// Fastly is the API that the variables of Fastly's provider lead to.
func Fastly() API {
	return NewFastly(cmp.Or(os.Getenv("FASTLY_API_URL"), "https://api.fastly.com"), os.Getenv("FASTLY_API_KEY"))
}
