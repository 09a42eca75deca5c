// Package ext is where a build of Traefik may add to its configuration. This one adds nothing. Traefik has it in a module of its
// own, which is not published.
package ext

// HTTP adds to what routes HTTP.
type HTTP struct{}

// Router adds to a router.
type Router struct{}
