// Command status tells in a terminal how a stack is: what Pulumi, its cluster, Linode, Fastly, public DNS and Alertmanager say of
// it, one line for each part. `make status` calls it, and docs/status.md describes it.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"time"

	"lke-platform/internal/cloud"
)

func main() {
	s := newSurvey()
	flag.StringVar(&s.stack, "stack", "", "the stack")
	asJSON := flag.Bool("json", false, "tell it as JSON")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	r := s.run(ctx)
	stop()
	tell := writeLines
	if *asJSON {
		tell = writeJSON
	}
	if err := tell(os.Stdout, r); err != nil {
		fmt.Fprintln(os.Stderr, "status:", err)
	}
	os.Exit(r.exit())
}

// survey is one look at a stack.
type survey struct {
	stack string
	now   time.Time
	// patience is how long a part may take to answer, and pulumiTime how long Pulumi may, which tells where the parts are.
	patience, pulumiTime time.Duration

	linode, fastly cloud.API
	kubernetes     *cloud.API // nil where there is no cluster
	told           *told
}

func newSurvey() *survey {
	s := &survey{
		now: time.Now(), patience: 4 * time.Second, pulumiTime: 20 * time.Second, linode: cloud.Linode(), fastly: cloud.Fastly(),
	}
	s.linode.Once, s.fastly.Once = true, true // that a cloud is busy is worth knowing, too
	return s
}

// parts are all that is looked at, each line in its place. The lines are short where all is well.
var parts = []struct {
	name string
	look func(*survey, context.Context) (*finding, error)
}{
	{"state", (*survey).lookAtState},
	{"nodes", (*survey).lookAtNodes},
	{"workloads", (*survey).lookAtWorkloads},
	{"pods", (*survey).lookAtPods},
	{"volumes", (*survey).lookAtVolumes},
	{"database", (*survey).lookAtDatabases},
	{"certificates", (*survey).lookAtCertificates},
	{"versions", (*survey).lookAtVersions},
	{"linode", (*survey).lookAtLinode},
	{"entrance", (*survey).lookAtEntrance},
	{"account", (*survey).lookAtAccount},
	{"fastly", (*survey).lookAtFastly},
	{"visitors", (*survey).lookAtVisitors},
	{"tls", (*survey).lookAtTLS},
	{"names", (*survey).lookAtNames},
	{"alerts", (*survey).lookAtAlerts},
}

// run looks at all parts at once, after Pulumi has told where they are.
func (s *survey) run(ctx context.Context) *report {
	r := &report{Stack: s.stack, Parts: make([]part, len(parts))}
	failed := s.ask(ctx)
	if failed == nil {
		r.URL = s.told.URL
	}
	var looks sync.WaitGroup
	for i, p := range parts {
		looks.Go(func() {
			limited, stop := context.WithTimeout(ctx, s.patience)
			defer stop()
			f, err := &finding{}, failed
			if failed == nil {
				f, err = p.look(s, limited)
			} else if i > 0 {
				err = errNotTold
			}
			r.Parts[i] = newPart(p.name, f, s.explain(err))
		})
	}
	looks.Wait()
	r.sum()
	return r
}

func writeJSON(out io.Writer, r *report) error {
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(r)
}
