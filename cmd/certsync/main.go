// Command certsync keeps Fastly's copy of a stack's certificates in step with those that cert-manager issues.
//
//	certsync [sync] [flags]           uploads, replaces and activates what differs, and prunes what is no longer used
//	certsync remove [flags] [DOMAIN]  takes back what it made for the stack, or for some of its domains
//
// The token is read from FASTLY_API_KEY, the API's address from FASTLY_API_URL. See docs/certsync.md.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/fastly/go-fastly/v12/fastly"
)

const (
	sync   = "sync"
	remove = "remove"
)

// options are what a run was asked to do.
type options struct {
	command       string
	domains       []string // of remove, all when empty
	stack         string
	certificates  string
	names         []string // public ones, all that certificates are for when empty
	configuration string
	timeout       time.Duration
	token, url    string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	status := run(ctx, os.Args[1:], os.Stdout)
	stop()
	os.Exit(status)
}

// run returns the status of the process: 0, 1 when something is wrong, 2 when it was called wrongly.
func run(ctx context.Context, arguments []string, out io.Writer) int {
	o, err := parse(arguments, out)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	log := slog.New(slog.NewTextHandler(&scrubber{out: out, token: o.token}, nil))
	if err != nil {
		log.Error("certsync was called wrongly: " + err.Error())
		return 2
	}
	log = log.With("stack", o.stack)
	if err := o.run(ctx, log); err != nil {
		log.Error(o.command + " failed: " + sentence(err))
		return 1
	}
	return 0
}

func (o *options) run(ctx context.Context, log *slog.Logger) error {
	s, err := newSession(o, log)
	if err != nil {
		return err
	}
	if o.command == remove {
		err = s.persist(ctx, o.timeout, func(ctx context.Context) error { return s.remove(ctx, o.domains) })
		if err == nil {
			log.Info("removed: nothing of this stack is left at Fastly", about(o.domains), "changes", s.changes)
		}
		return err
	}
	folders, err := load(o.certificates, o.names, log)
	if err != nil {
		return err
	}
	synced := s.persist(ctx, o.timeout, func(ctx context.Context) error { return s.sync(ctx, folders) })
	err = errors.Join(folders.refused(), synced)
	if err == nil {
		log.Info("in step: Fastly serves what is mounted", about(folders.domains()), "changes", s.changes)
	}
	return err
}

func about(domains []string) slog.Attr {
	if len(domains) == 0 {
		return slog.String("domains", "all")
	}
	return slog.String("domains", strings.Join(domains, ","))
}

func parse(arguments []string, out io.Writer) (*options, error) {
	o := &options{
		command: sync,
		token:   strings.TrimSpace(os.Getenv("FASTLY_API_KEY")),
		url:     cmp.Or(os.Getenv("FASTLY_API_URL"), fastly.DefaultEndpoint),
	}
	if len(arguments) > 0 && !strings.HasPrefix(arguments[0], "-") {
		o.command, arguments = arguments[0], arguments[1:]
	}
	flags := flag.NewFlagSet("certsync", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // what is wrong is said in the one way that everything is
	flags.StringVar(&o.stack, "stack", "", "name that marks everything made at Fastly, for instance lke-platform-prod")
	flags.StringVar(&o.certificates, "certificates", "/certificates", "folder with one folder per domain: tls.crt and tls.key")
	names := flags.String("names", "", "public names that are served, with commas between them (all names of the certificates)")
	flags.StringVar(&o.configuration, "configuration", "", "ID of Fastly's TLS configuration (the account's default one)")
	flags.DurationVar(&o.timeout, "timeout", 10*time.Minute, "how long to wait and try again, in all")
	err := flags.Parse(arguments)
	if errors.Is(err, flag.ErrHelp) {
		flags.SetOutput(out)
		_, _ = fmt.Fprintln(out, "certsync [sync] [flags]\ncertsync remove [flags] [DOMAIN ...]")
		flags.PrintDefaults()
	}
	if err != nil {
		return o, err
	}
	o.domains = flags.Args()
	if *names != "" {
		o.names = strings.Split(*names, ",")
	}
	return o, o.validate()
}

func (o *options) validate() error {
	switch {
	case o.command != sync && o.command != remove:
		return fmt.Errorf("there is no command %q, only sync and remove", o.command)
	case o.command == sync && len(o.domains) > 0:
		return fmt.Errorf("sync takes all mounted certificates, so leave out %q", o.domains[0])
	case o.stack == "" || strings.ContainsAny(o.stack, " \t\n"):
		return errors.New("--stack needs the stack's name, which has no blanks, for instance --stack lke-platform-prod")
	case o.token == "":
		return errors.New("the environment needs FASTLY_API_KEY, a token of Fastly that may manage TLS")
	case !strings.HasPrefix(o.url, "https://") && !strings.HasPrefix(o.url, "http://"):
		return errors.New("FASTLY_API_URL needs an address, for instance " + fastly.DefaultEndpoint)
	case o.timeout <= 0:
		return errors.New("--timeout needs a time, for instance --timeout 10m")
	case slices.Contains(o.domains, ""):
		return errors.New("a domain to remove is empty")
	}
	return nil
}
