package edge

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/ysugimoto/falco/interpreter"
	falcocache "github.com/ysugimoto/falco/interpreter/cache"
	"github.com/ysugimoto/falco/interpreter/value"

	"lke-platform/tests/rehearsal/edge/cache"
	"lke-platform/tests/rehearsal/edge/program"
)

// visit is a request on its way through a site, as Fastly leads it.
// Upstream: https://www.fastly.com/documentation/guides/full-site-delivery/fastly-vcl/using/#the-vcl-request-lifecycle
type visit struct {
	*program.Run
	site    *site
	service *service
	key     string // in the cache
	passing bool   // the answer is for this request alone
	waited  bool   // for another that fetches the same
	// old is a copy that has run out; it may be handed out where HasStale says so.
	old *cache.Object
	// begun is when the backend was asked, and release lets others ask for the same.
	begun   time.Time
	release func()
	// What is handed out: kept where it is at hand as a whole.
	kept   []byte
	stream io.ReadCloser
	result *answer
}

// step is a station; it returns the next one, nil at the end.
type step func(*visit) step

// mostRestarts is how often a request may start again.
const mostRestarts = 3

func newVisit(s *site, svc *service, r *http.Request, url string) (*visit, error) {
	v := &visit{site: s, service: svc, release: func() {}}
	facts := program.Facts{
		ServiceID: svc.deployment.ServiceID, Version: svc.deployment.Version, Datacenter: s.code, Visits: s.visits,
		IsShield: svc.isShield, IsHealthy: svc.healthy,
	}
	var err error
	v.Run, err = svc.program.Start(facts, r, url)
	return v, err
}

// run leads the request from a station to its end.
func (v *visit) run(first step) *answer {
	for next := first; next != nil; {
		next = next(v)
	}
	if v.stream == nil {
		v.release()
	}
	return v.result
}

// do runs a subroutine, and goes on as it says.
func (v *visit) do(name string, next map[program.State]step) step {
	state, err := v.Do(name)
	if err != nil {
		return v.giveUp(err)
	}
	if following := next[state]; following != nil {
		return following
	}
	return v.giveUp(fmt.Errorf("vcl_%s returned %s", name, state))
}

func (v *visit) giveUp(err error) step {
	v.site.log.Error("VCL", "service", v.service.deployment.Name, "error", err.Error())
	v.drop()
	v.result = refusal(v.Request, err)
	return nil
}

// drop lets go of what the backend answered.
func (v *visit) drop() {
	if v.stream != nil {
		_ = v.stream.Close() // nobody reads it
	}
	v.stream, v.kept = nil, nil
	v.release()
}

func recv(v *visit) step {
	return v.do("recv", map[program.State]step{
		interpreter.NONE: hash, interpreter.LOOKUP: hash, interpreter.PASS: passHashed, interpreter.ERROR: fail,
		interpreter.RESTART: restart, program.Upgrade: upgrade,
	})
}

func hash(v *visit) step       { return v.hash(lookup) }
func passHashed(v *visit) step { return v.hash(pass) }

func (v *visit) hash(next step) step {
	v.RequestHash = &value.String{}
	decided := v.do("hash", map[program.State]step{interpreter.NONE: next, interpreter.HASH: next})
	v.key = v.RequestHash.Value
	if v.Request.Method == purgeMethod {
		v.result = plainAnswer(v.Request, http.StatusOK, "")
		v.result.key = v.key
		return nil
	}
	return decided
}

// lookup looks for a copy, and has only one at a time fetch what is not there.
func lookup(v *visit) step {
	v.State = "MISS"
	object, hits := v.site.cache.Get(v.key, v.Request.Header)
	at := time.Now()
	switch {
	case v.HashAlwaysMiss.Value:
		return miss
	case object == nil || object.Pass && !object.Fresh(at):
		return v.wait()
	case object.Pass:
		v.State = "HITPASS"
		return pass
	case object.Fresh(at):
		v.State = "HIT"
		return v.hit(object, hits)
	case object.StaleFor(at, min(object.StaleWhileRevalidate, v.MaxStaleWhileRevalidate.Value)):
		v.State, v.Stale.Value, v.StaleIsRevalidating.Value = "HIT-STALE", true, true
		v.refresh(object)
		return v.hit(object, hits)
	}
	v.old, v.HasStale = object, object.StaleFor(at, min(object.StaleIfError, v.MaxStaleIfError.Value))
	if v.HasStale && !v.service.healthy(v.BackendName()) {
		return deliverStale
	}
	return v.wait()
}

// wait has requests for the same wait for the first of them, once.
func (v *visit) wait() step {
	if v.HashIgnoreBusy.Value {
		return miss
	}
	busy, end := v.site.cache.Begin(v.key)
	if busy == nil {
		v.release = end
		return miss
	}
	if v.waited {
		return miss
	}
	v.waited = true
	select {
	case <-busy:
	case <-v.Request.Context().Done():
	}
	return lookup
}

// refresh fetches anew what is handed out meanwhile, unless somebody does already.
func (v *visit) refresh(old *cache.Object) {
	_, end := v.site.cache.Begin(v.key)
	if end == nil {
		return
	}
	background, err := newVisit(v.site, v.service, detached(v.Request), v.URL.Value)
	if err != nil {
		end()
		return
	}
	background.Background, background.release, background.old, background.key = true, end, old, v.key
	*background.Backend, background.RequestHash, background.State = *v.Backend, v.RequestHash, "MISS"
	background.EnableSegmentedCaching = v.EnableSegmentedCaching
	go func() {
		result := background.run(miss)
		_, _ = io.Copy(io.Discard, result.Body) // which keeps it
		result.close()
	}()
}

func (v *visit) hit(object *cache.Object, hits int) step {
	v.CacheHitItem = &falcocache.CacheItem{EntryTime: object.Stored.Add(-object.Age), Hits: hits}
	v.Object = responseOf(object, v.Request)
	v.ObjectTTL = &value.RTime{Value: time.Until(object.Stored.Add(object.TTL))}
	v.ObjectGrace = &value.RTime{Value: object.StaleIfError}
	deliverIt := func(v *visit) step {
		v.hand(object)
		return deliver
	}
	return v.do("hit", map[program.State]step{
		interpreter.NONE: deliverIt, interpreter.DELIVER: deliverIt, interpreter.PASS: pass, interpreter.ERROR: fail,
		interpreter.RESTART: restart,
	})
}

// hand makes a copy the answer.
func (v *visit) hand(object *cache.Object) {
	v.drop()
	v.Response, v.kept = responseOf(object, v.Request), object.Body
}

func miss(v *visit) step {
	v.requestForAll()
	return v.do("miss", map[program.State]step{
		interpreter.NONE: fetch, interpreter.FETCH: fetch, interpreter.PASS: pass, interpreter.ERROR: fail,
		interpreter.DELIVER_STALE: deliverStale,
	})
}

func pass(v *visit) step {
	v.release()
	v.passing = true
	if v.State != "HITPASS" {
		v.State = "PASS"
	}
	v.requestAsItIs()
	return v.do("pass", map[program.State]step{
		interpreter.NONE: fetch, interpreter.PASS: fetch, interpreter.FETCH: fetch, interpreter.ERROR: fail,
	})
}

// failWith is the error that Fastly makes of what it cannot do.
func (v *visit) failWith(reason string) step {
	v.ObjectStatus = &value.Integer{Value: http.StatusServiceUnavailable}
	v.ObjectResponse = &value.String{Value: reason}
	return fail
}

func fail(v *visit) step {
	v.drop()
	v.IsLocallyGenerated = &value.Boolean{Value: true}
	status := int(v.ObjectStatus.Value)
	if v.ObjectResponse.Value == "" {
		v.ObjectResponse = &value.String{Value: http.StatusText(status)}
	}
	v.Object = newResponse(status, http.Header{}, v.Request)
	deliverIt := func(v *visit) step {
		v.Response = v.Object
		v.kept, _ = io.ReadAll(v.Object.Body) // which is in memory
		return deliver
	}
	return v.do("error", map[program.State]step{
		interpreter.NONE: deliverIt, interpreter.DELIVER: deliverIt, interpreter.DELIVER_STALE: deliverStale,
		interpreter.RESTART: restart,
	})
}

// deliverStale hands out what has run out, which is better than an error.
func deliverStale(v *visit) step {
	if !v.HasStale {
		return v.failWith("No stale object available")
	}
	v.State, v.Stale.Value, v.StaleIsError.Value = "HIT-STALE", true, true
	v.hand(v.old)
	return deliver
}

func deliver(v *visit) step {
	v.sign()
	finished := func(v *visit) step {
		v.result = &answer{Response: v.Response, kept: v.kept, key: v.key}
		if v.result.Body = http.NoBody; v.kept != nil {
			v.result.Body = io.NopCloser(bytes.NewReader(v.kept))
		} else if v.stream != nil {
			v.result.Body = v.stream
		}
		if _, err := v.Do("log"); err != nil {
			v.site.log.Error("VCL", "service", v.service.deployment.Name, "error", err.Error())
		}
		return nil
	}
	return v.do("deliver", map[program.State]step{
		interpreter.NONE: finished, interpreter.DELIVER: finished, interpreter.LOG: finished, interpreter.RESTART: restart,
	})
}

// sign says where the answer was, after what other sites say of it.
func (v *visit) sign() {
	header := v.Response.Header
	add := func(name, value string) {
		header.Set(name, strings.Join(append(header.Values(name), value), ", "))
	}
	add("Via", "1.1 varnish")
	add("X-Served-By", program.CacheName(v.site.code))
	hits := 0
	if strings.HasPrefix(v.State, "HIT") && v.State != "HITPASS" {
		add("X-Cache", "HIT")
		if hits = 1; v.CacheHitItem != nil {
			hits = v.CacheHitItem.Hits
		}
	} else {
		add("X-Cache", "MISS")
	}
	add("X-Cache-Hits", fmt.Sprint(hits))
	setDefault(header, "Date", time.Now().UTC().Format(http.TimeFormat))
}

func restart(v *visit) step {
	v.drop()
	if v.Restarts++; v.Restarts > mostRestarts {
		v.result = plainAnswer(v.Request, http.StatusServiceUnavailable, "Too many restarts")
		return nil
	}
	v.passing, v.old, v.HasStale, v.CacheHitItem = false, nil, false, nil
	v.BackendRequest, v.BackendResponse, v.Object, v.Response = nil, nil, nil, nil
	v.IsLocallyGenerated, v.HashAlwaysMiss, v.HashIgnoreBusy = &value.Boolean{}, &value.Boolean{}, &value.Boolean{}
	return recv
}

func newResponse(status int, header http.Header, r *http.Request) *http.Response {
	return &http.Response{
		StatusCode: status, Status: http.StatusText(status), Header: header, Request: r,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Body: http.NoBody,
	}
}

// responseOf is a copy as an answer.
func responseOf(object *cache.Object, r *http.Request) *http.Response {
	response := newResponse(object.Status, object.Header.Clone(), r)
	response.Header.Set("Age", fmt.Sprint(int((object.Age + time.Since(object.Stored)).Seconds())))
	return response
}
