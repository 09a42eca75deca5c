// Package cache keeps answers as a site of Fastly does: for as long as they say, and a while longer for when nothing better is
// there; by what they vary in; and until somebody purges them.
package cache

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Object is an answer that was kept. Nothing of it changes; see Renewed.
type Object struct {
	Status int
	Header http.Header
	Body   []byte
	// Stored is when it came, and Age how old it was then.
	Stored time.Time
	Age    time.Duration
	// TTL is how long it is fresh, and the other two are how long it may be handed out after that: while a new one is fetched,
	// and when none can be had.
	TTL, StaleWhileRevalidate, StaleIfError time.Duration
	// Pass says that there is nothing to hand out: requests go to the backend side by side.
	Pass bool
	// Request holds the values of the headers that the answer varies in.
	Request http.Header
}

// Fresh says whether it has not run out.
func (o *Object) Fresh(at time.Time) bool { return at.Before(o.Stored.Add(o.TTL)) }

// StaleFor says whether it ran out no longer ago than that.
func (o *Object) StaleFor(at time.Time, length time.Duration) bool {
	return at.Before(o.Stored.Add(o.TTL + length))
}

// dead says that it is of no use any more.
func (o *Object) dead(at time.Time) bool {
	return !o.StaleFor(at, max(o.StaleWhileRevalidate, o.StaleIfError))
}

// fits says whether it is what a request asks for.
func (o *Object) fits(request http.Header) bool {
	for name, values := range o.Request {
		if !slices.Equal(values, request.Values(name)) {
			return false
		}
	}
	return true
}

// VariesIn are the values of the headers that an answer says it varies in.
func VariesIn(answer, request http.Header) http.Header {
	values := http.Header{}
	for name := range strings.SplitSeq(strings.Join(answer.Values("Vary"), ","), ",") {
		if name = http.CanonicalHeaderKey(strings.TrimSpace(name)); name != "" {
			values[name] = slices.Clone(request.Values(name))
		}
	}
	return values
}

// most is how many objects are kept of what differs only in what it varies in, as at Fastly.
const most = 200

// Cache is what a site keeps of a service.
type Cache struct {
	mu      sync.Mutex
	objects map[string][]*entry // the newest first
	busy    map[string]chan struct{}
	// When what was purged last: an answer that was under way then is not kept. The key "" is everything.
	purged map[string]time.Time
}

type entry struct {
	object *Object
	hits   int
}

// New returns an empty cache.
func New() *Cache {
	return &Cache{objects: map[string][]*entry{}, busy: map[string]chan struct{}{}, purged: map[string]time.Time{}}
}

// Get returns what is kept for a request, stale or not, and how often it was asked for; nil where there is nothing.
func (c *Cache) Get(key string, request http.Header) (object *Object, hits int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	at := time.Now()
	c.objects[key] = slices.DeleteFunc(c.objects[key], func(e *entry) bool { return e.object.dead(at) })
	for _, e := range c.objects[key] {
		if e.object.fits(request) {
			e.hits++
			return e.object, e.hits
		}
	}
	if len(c.objects[key]) == 0 {
		delete(c.objects, key)
	}
	return nil, 0
}

// Put keeps an answer to a request that began at a time, unless it was purged since.
func (c *Cache) Put(key string, object *Object, begun time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, name := range append(surrogateKeys(object), "", urlPrefix+key) {
		if !c.purged[name].Before(begun) {
			return
		}
	}
	others := slices.DeleteFunc(c.objects[key], func(e *entry) bool { return e.object.fits(object.Request) })
	c.objects[key] = append([]*entry{{object: object}}, others[:min(len(others), most-1)]...)
}

// Begin says that somebody fetches what is not there. Whoever comes second gets what is closed when the first is done, and nil
// whoever is the first, who calls end.
func (c *Cache) Begin(key string) (others <-chan struct{}, end func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if busy := c.busy[key]; busy != nil {
		return busy, nil
	}
	done := make(chan struct{})
	c.busy[key] = done
	return nil, sync.OnceFunc(func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.busy, key)
		close(done)
	})
}

// urlPrefix sets apart what is purged by its place in the cache; keys hold no blanks.
const urlPrefix = "url "

func surrogateKeys(o *Object) []string {
	return strings.Fields(strings.Join(o.Header.Values("Surrogate-Key"), " "))
}

// Purge throws away what bears one of the surrogate keys, or everything where there are none. A soft one has it run out instead.
func (c *Cache) Purge(keys []string, soft bool) {
	if len(keys) == 0 {
		c.purge([]string{""}, soft, func(string, *Object) bool { return true })
		return
	}
	c.purge(keys, soft, func(_ string, o *Object) bool {
		return slices.ContainsFunc(surrogateKeys(o), func(key string) bool { return slices.Contains(keys, key) })
	})
}

// PurgeKey throws away what is kept in one place.
func (c *Cache) PurgeKey(key string, soft bool) {
	c.purge([]string{urlPrefix + key}, soft, func(at string, _ *Object) bool { return at == key })
}

func (c *Cache) purge(names []string, soft bool, affected func(key string, o *Object) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	for _, name := range names {
		c.purged[name] = now
	}
	for key, entries := range c.objects {
		c.objects[key] = slices.DeleteFunc(entries, func(e *entry) bool {
			if !affected(key, e.object) {
				return false
			}
			if soft && !e.object.Pass {
				e.object = e.object.expired(now)
				return false
			}
			return true
		})
	}
}

// expired is a copy that has just run out, if it had not before.
func (o *Object) expired(at time.Time) *Object {
	if !o.Fresh(at) {
		return o
	}
	copied := *o
	copied.TTL = at.Sub(o.Stored)
	return &copied
}

// Renewed is a copy of an object that its origin says is as it was, with what the origin says now.
func (o *Object) Renewed(header http.Header) *Object {
	copied := *o
	copied.Header = o.Header.Clone()
	for name, values := range header {
		if name != "Content-Length" && name != "Content-Encoding" && name != "Content-Range" {
			copied.Header[name] = values
		}
	}
	delete(copied.Header, "Age")
	maps.DeleteFunc(copied.Header, func(_ string, values []string) bool { return len(values) == 0 })
	return &copied
}
