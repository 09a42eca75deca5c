package certsync

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// scenario is a state of an account, what is then mounted, what is run and what should come of it.
type scenario struct {
	account *account
	dir     string
	command []string // sync if none
	want    map[string]*pair
}

func (s scenario) arguments() []string {
	if s.command != nil {
		return s.command
	}
	return []string{"sync", "--stack", stack, "--certificates", s.dir, "--timeout", "20s"}
}

// scenarios are those in which a run has something to do.
var scenarios = map[string]func(*testing.T) scenario{
	"first sync": func(t *testing.T) scenario {
		want := map[string]*pair{domain: issue(domain, newKey(t))}
		return scenario{account: newAccount(t), dir: mount(t, want), want: want}
	},
	"renewal": func(t *testing.T) scenario {
		a := newAccount(t)
		dir := mount(t, map[string]*pair{domain: issue(domain, newKey(t))})
		a.sync(dir).requireInStep(t)
		want := map[string]*pair{domain: issue(domain, newKey(t), renewed)}
		remount(t, dir, domain, want[domain])
		return scenario{account: a, dir: dir, want: want}
	},
	"removal": func(t *testing.T) scenario {
		a := newAccount(t)
		a.sync(mount(t, map[string]*pair{domain: issue(domain, newKey(t))})).requireInStep(t)
		return scenario{account: a, command: []string{"remove", "--stack", stack}}
	},
}

// everyCall plays a scenario anew for every call that its run makes, a few at a time, since most of the time is waiting.
func everyCall(t *testing.T, prepare func(*testing.T) scenario, play func(s scenario, n int)) {
	t.Helper()
	s := prepare(t)
	s.account.watch(nil)
	require.Zero(t, s.account.run(s.arguments()...).status)
	calls := s.account.seen()
	require.Greater(t, calls, 6)
	var all sync.WaitGroup
	room := make(chan struct{}, 6)
	for n := 1; n <= calls; n++ {
		s := prepare(t)
		all.Go(func() {
			room <- struct{}{}
			defer func() { <-room }()
			play(s, n)
		})
	}
	all.Wait()
}

// gone waits until who made a request is there no more, which shows once its body has been read.
func gone(r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
}

// A run that is killed before a call, or after it but before the answer, leaves what the next run makes whole.
func TestKilledBetweenAnyTwoCalls(t *testing.T) {
	t.Parallel()
	for name, prepare := range scenarios {
		for _, done := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, call done %t", name, done), func(t *testing.T) {
				t.Parallel()
				everyCall(t, prepare, func(s scenario, n int) {
					command := s.account.command(context.Background(), s.arguments()...)
					started := make(chan struct{}) // a call may come before this process knows of the other
					s.account.watch(func(seen int, _ http.ResponseWriter, r *http.Request, serve http.Handler) bool {
						if seen != n {
							return false
						}
						if done {
							serve.ServeHTTP(httptest.NewRecorder(), r)
						}
						<-started
						_ = command.Process.Kill()
						gone(r)
						return true
					})
					assert.NoError(t, command.Start())
					close(started)
					assert.ErrorContains(t, command.Wait(), "killed")
					s.account.watch(nil)
					again := s.account.run(s.arguments()...)
					assert.Zero(t, again.status, "killed at call %d, the next run says\n%s", n, again.output)
					assert.NoError(t, s.account.serves(s.want), "killed at call %d", n)
				})
			})
		}
	}
}

// One run lives through what happens at any of its calls.
func TestFaultAtEveryCall(t *testing.T) {
	t.Parallel()
	answers := map[string]func(w http.ResponseWriter, r *http.Request, serve http.Handler){
		"429": func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusTooManyRequests)
		},
		"503": func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
			w.WriteHeader(http.StatusServiceUnavailable)
		},
		"502, though it was done": func(w http.ResponseWriter, r *http.Request, serve http.Handler) {
			serve.ServeHTTP(httptest.NewRecorder(), r)
			w.WriteHeader(http.StatusBadGateway)
		},
		"a connection cut off, though it was done": func(_ http.ResponseWriter, r *http.Request, serve http.Handler) {
			serve.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		},
		"half an answer": func(w http.ResponseWriter, r *http.Request, serve http.Handler) {
			whole := httptest.NewRecorder()
			serve.ServeHTTP(whole, r)
			w.WriteHeader(whole.Code)
			if whole.Body.Len() > 0 {
				_, _ = w.Write(whole.Body.Bytes()[:whole.Body.Len()/2])
			}
		},
	}
	for what, prepare := range scenarios {
		for name, answer := range answers {
			t.Run(what+", "+name, func(t *testing.T) {
				t.Parallel()
				everyCall(t, prepare, func(s scenario, n int) {
					s.account.watch(func(seen int, w http.ResponseWriter, r *http.Request, serve http.Handler) bool {
						if seen == n {
							answer(w, r, serve)
						}
						return seen == n
					})
					run := s.account.run(s.arguments()...)
					assert.Zero(t, run.status, "at call %d:\n%s", n, run.output)
					assert.NoError(t, s.account.serves(s.want), "at call %d", n)
				})
			})
		}
	}
}

// What was asked for is granted: nothing is called before its time.
func TestWaitsAsLongAsFastlyAsks(t *testing.T) {
	t.Parallel()
	for name, ask := range map[string]func(http.Header, time.Time){
		"seconds": func(h http.Header, _ time.Time) { h.Set("Retry-After", "2") },
		"a date":  func(h http.Header, at time.Time) { h.Set("Retry-After", at.UTC().Format(http.TimeFormat)) },
		"reset of the limit": func(h http.Header, at time.Time) {
			h.Set("Fastly-RateLimit-Remaining", "0")
			h.Set("Fastly-RateLimit-Reset", strconv.FormatInt(at.Unix(), 10))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := scenarios["first sync"](t)
			var next time.Time
			s.account.watch(func(seen int, w http.ResponseWriter, _ *http.Request, _ http.Handler) bool {
				switch seen {
				case 5:
					next = time.Now().Add(2 * time.Second)
					ask(w.Header(), next)
					w.WriteHeader(http.StatusTooManyRequests)
				case 6:
					assert.WithinRange(t, time.Now(), next.Truncate(time.Second), next.Add(2*time.Second))
				}
				return seen == 5
			})
			run := s.account.sync(s.dir)
			run.requireInStep(t)
			require.Contains(t, run.output, "trying again")
		})
	}
}

// There is an end to patience, and no waiting for what would come after it.
func TestTimeout(t *testing.T) {
	t.Parallel()
	for name, after := range map[string]string{"soon": "", "in an hour": "3600"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := scenarios["first sync"](t)
			s.account.watch(func(_ int, w http.ResponseWriter, _ *http.Request, _ http.Handler) bool {
				w.Header().Set("Retry-After", after)
				w.WriteHeader(http.StatusServiceUnavailable)
				return true
			})
			begin := time.Now()
			s.account.sync(s.dir, "--timeout", "2s").requireFailure(t,
				"could not be done within 2s", "503 Service Unavailable", "the next run goes on from there")
			require.Less(t, time.Since(begin), 5*time.Second)
			require.Equal(t, after != "", s.account.seen() == 1)
		})
	}
}

func TestFastlyOutOfReach(t *testing.T) {
	t.Parallel()
	s := scenarios["first sync"](t)
	s.account.url = "http://127.0.0.1:1"
	s.account.sync(s.dir, "--timeout", "1s").requireFailure(t, "cannot reach Fastly", "connection refused")
}

// A token that is wrong, or may only read, is no reason to wait.
func TestTokenWithoutRights(t *testing.T) {
	t.Parallel()
	for status, says := range map[int]string{
		http.StatusUnauthorized: "does not know the token (401): make one of scope global",
		http.StatusForbidden:    "the token may not take the key (403): make one of scope global",
	} {
		t.Run(strconv.Itoa(status), func(t *testing.T) {
			t.Parallel()
			s := scenarios["first sync"](t)
			s.account.watch(func(_ int, w http.ResponseWriter, r *http.Request, _ http.Handler) bool {
				if r.Method == http.MethodGet {
					return false
				}
				w.WriteHeader(status)
				_, _ = io.WriteString(w, `{"msg":"You are not authorized to perform this action"}`)
				return true
			})
			s.account.sync(s.dir).requireFailure(t, says)
			require.Len(t, s.account.writes(), 1)
		})
	}
}

// A name that no active service has cannot be activated. It may be a matter of seconds, so it is tried a few times.
func TestNameOnNoService(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	dir := mount(t, map[string]*pair{"example.org": issue("example.org", newKey(t))})
	a.sync(dir).requireFailure(t, "example.org: Fastly refused to activate example.org (4", "must be on an active Fastly service")
	require.Len(t, a.writes(), 2+2*5)
}

// Fastly may say back what it was sent. That is not said on.
func TestEchoedSecrets(t *testing.T) {
	t.Parallel()
	s := scenarios["first sync"](t)
	s.account.watch(func(_ int, w http.ResponseWriter, r *http.Request, _ http.Handler) bool {
		if r.Method == http.MethodGet {
			return false
		}
		body := must(io.ReadAll(r.Body))
		w.WriteHeader(http.StatusBadRequest)
		var sent struct {
			Data struct{ Attributes struct{ Key string } }
		}
		_ = json.Unmarshal(body, &sent)
		_ = json.NewEncoder(w).Encode(map[string]string{"msg": "no " + string(body), "detail": sent.Data.Attributes.Key + token})
		return true
	})
	s.account.sync(s.dir).requireFailure(t, "[hidden]")
}

// Runs at the same time do what one would, and none of them fails.
func TestRunsAtOnce(t *testing.T) {
	t.Parallel()
	for name, prepare := range scenarios {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for range 4 {
				s := prepare(t)
				s.account.watch(func(_ int, _ http.ResponseWriter, _ *http.Request, _ http.Handler) bool {
					time.Sleep(rand.N(30 * time.Millisecond)) // so that they overtake each other
					return false
				})
				var all sync.WaitGroup
				for range 3 {
					all.Go(func() {
						run := s.account.run(s.arguments()...)
						assert.Zero(t, run.status, run.output)
					})
				}
				all.Wait()
				assert.NoError(t, s.account.serves(s.want))
			}
		})
	}
}

// One run has read the Secrets before they were renewed, the other after.
func TestRunsAtOnceOfOldAndNewSecrets(t *testing.T) {
	t.Parallel()
	for range 4 {
		s := scenarios["renewal"](t)
		before := mount(t, map[string]*pair{domain: issue(domain, newKey(t), since(days(-61)))})
		s.account.watch(func(_ int, _ http.ResponseWriter, _ *http.Request, _ http.Handler) bool {
			time.Sleep(rand.N(30 * time.Millisecond))
			return false
		})
		var both sync.WaitGroup
		for _, dir := range []string{s.dir, before} {
			both.Go(func() {
				run := s.account.sync(dir)
				assert.Zero(t, run.status, run.output)
			})
		}
		both.Wait()
		s.account.sync(s.dir).requireInStep(t)
		require.NoError(t, s.account.serves(s.want))
	}
}

// Kubernetes asks a pod to end and waits half a minute; the next run needs no more than what is at Fastly.
func TestTerminated(t *testing.T) {
	t.Parallel()
	s := scenarios["first sync"](t)
	command := s.account.command(context.Background(), s.arguments()...)
	var output strings.Builder
	command.Stdout = &output
	var asked time.Time
	started := make(chan struct{})
	s.account.watch(func(n int, _ http.ResponseWriter, r *http.Request, _ http.Handler) bool {
		if n == 6 {
			<-started
			asked = time.Now()
			_ = command.Process.Signal(syscall.SIGTERM)
			gone(r)
		}
		return n == 6
	})
	require.NoError(t, command.Start())
	close(started)
	require.Error(t, command.Wait())
	require.Less(t, time.Since(asked), time.Second)
	require.Equal(t, 1, command.ProcessState.ExitCode())
	require.Contains(t, output.String(), "told to stop before it was done; the next run goes on from there")
	s.account.watch(nil)
	s.account.sync(s.dir).requireInStep(t)
	require.NoError(t, s.account.serves(s.want))
}
