package program

import (
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/ysugimoto/falco/ast"
	"github.com/ysugimoto/falco/interpreter"
	"github.com/ysugimoto/falco/interpreter/context"
	"github.com/ysugimoto/falco/interpreter/value"
	"github.com/ysugimoto/falco/resolver"
)

// Facts are what a request's VCL can know of where it runs. They may change from one subroutine to the next.
type Facts struct {
	ServiceID string
	Version   int
	// Datacenter is the code of the site.
	Datacenter string
	// Visits is how many sites had the request before, 1 at a shield.
	Visits int64
	// IsShield and IsHealthy say of backends what they are, by their names in VCL.
	IsShield, IsHealthy func(backend string) bool
	// HasStale says that there is a copy that has run out, and may be handed out all the same.
	HasStale bool
	// Background says that nobody waits for the answer.
	Background bool
}

// Run is a request on its way through a program.
type Run struct {
	Facts
	// Context is falco's: the requests and responses, and what VCL sets of them.
	*context.Context
	// URL and BackendURL are those of the request and of the one to the backend, as they came and go: falco's are decoded.
	URL, BackendURL *value.String

	program *Program
	falco   *interpreter.Interpreter
}

// State is what a subroutine ends with: where the request goes next. None leaves it to Fastly.
type State = interpreter.State

// Upgrade is a state that falco knows nothing of, and hands on.
const Upgrade State = "upgrade"

// Start begins a request, whose Host is in its header, as VCL has it.
func (p *Program) Start(facts Facts, r *http.Request, url string) (*Run, error) {
	run := &Run{Facts: facts, program: p, URL: &value.String{Value: url}, BackendURL: &value.String{}}
	run.falco = interpreter.New(func(c *context.Context) {
		c.Resolver = run
		run.Context = c
	})
	run.falco.Debugger = silent{}
	if err := run.falco.ProcessInit(r); err != nil {
		return nil, fmt.Errorf("preparing VCL: %w", err)
	}
	if err := run.falco.ProcessDeclarations(p.statements); err != nil {
		return nil, fmt.Errorf("preparing VCL: %w", err)
	}
	run.Backend = &value.Backend{}
	// Without the brackets of an IPv6 address, which falco does not take off.
	if host, port, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		r.RemoteAddr = host + ":" + port
	}
	return run, nil
}

// scopes are falco's, by the names of subroutines without what they begin with.
var scopes = map[string]context.Scope{
	"recv": context.RecvScope, "hash": context.HashScope, "hit": context.HitScope, "miss": context.MissScope,
	"pass": context.PassScope, "fetch": context.FetchScope, "error": context.ErrorScope, "deliver": context.DeliverScope,
	"log": context.LogScope,
}

// Do runs a subroutine.
func (r *Run) Do(name string) (state State, err error) {
	defer func() {
		if fault := recover(); fault != nil { // falco's, whose interpreter is for tests
			err = fmt.Errorf("running vcl_%s: %v", name, fault)
		}
	}()
	if name != "error" { // which finds there what led to it
		r.ObjectStatus, r.ObjectResponse = &value.Integer{Value: http.StatusServiceUnavailable}, &value.String{}
	}
	r.falco.SetScope(scopes[name])
	subroutine := r.Subroutines["vcl_"+name]
	state, err = r.falco.ProcessSubroutine(subroutine, interpreter.DebugPass)
	if err != nil {
		return "", fmt.Errorf("running vcl_%s: %w", name, err)
	}
	return state, nil
}

// BackendName is what VCL has chosen.
func (r *Run) BackendName() string { return r.Backend.String() }

// MainVCL is nothing: what there is was read before.
func (*Run) MainVCL() (*resolver.VCL, error) { return &resolver.VCL{Name: "main"}, nil }

// Resolve finds what a subroutine includes.
func (*Run) Resolve(include *ast.IncludeStatement) (*resolver.VCL, error) {
	return nil, fmt.Errorf("%s is included within a subroutine, which is not served here", include.Module.Value)
}

// Name is that of a resolver.
func (*Run) Name() string { return "" }

type silent struct{}

func (silent) Run(ast.Node) interpreter.DebugState { return interpreter.DebugPass }
func (silent) Message(string)                      {}

// seconds is a length of time as VCL has it.
func seconds(length time.Duration) *value.RTime { return &value.RTime{Value: length} }
