package app

import (
	"strconv"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// Keys of a cache that Args.Caches can hand to the application.
const (
	cacheURI  = "uri"
	cacheHost = "host"
	cachePort = "port"
)

// CacheNames are the caches that the application uses, by the variable that needs them.
func (a *Args) CacheNames() map[string]string {
	used := map[string]string{}
	for variable, entry := range a.Caches {
		used[variable], _, _ = strings.Cut(entry, "/")
	}
	return used
}

// cacheVariable is the value of an entry of Args.Caches. No password is in it: the cache answers its own namespace only.
func (a *Args) cacheVariable(entry string) pulumi.StringOutput {
	name, key, _ := strings.Cut(entry, "/")
	host, port := a.CacheHosts[name], strconv.Itoa(a.CachePort)
	switch key {
	case cacheHost:
		return host.ToStringOutput()
	case cachePort:
		return pulumi.String(port).ToStringOutput()
	}
	return pulumi.Sprintf("redis://%s:%s/0", host, port)
}
