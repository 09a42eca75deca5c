package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/auto/optup"

	"lke-platform/tests/rehearsal/live/spec"
	"lke-platform/tests/rehearsal/simulation"
)

// step is something that is done to a platform.
type step func(*platform, context.Context) error

// incident is what happens to a platform.
type incident struct {
	// begin brings the trouble, and end takes it away; nil where it goes away by itself, or stays.
	begin, end step
	// once says that it stays: a sandbox goes through it once, and not with all others.
	once bool
	// lasts is when it ends; where this is zero, the platform is to help itself, and it ends when all is measured.
	lasts time.Duration
}

// incidents are all of them, by name.
var incidents = map[string]*incident{
	"rollout": {begin: func(p *platform, ctx context.Context) error {
		_, err := p.kubectl(ctx, "rollout", "restart", "--namespace", p.namespace, "deployment/"+p.app)
		return err
	}},
	"pool-replaced": {
		begin: planned(edited(anotherType, "lke-platform:cluster", "nodePools", "0", "type"), lookedAt...),
		end:   (*platform).takenBack,
	},
	"kubernetes-upgraded": {
		begin: planned(edited(nextMinor, "lke-platform:cluster", "kubernetesVersion"), lookedAt...), once: true,
	},
	"secret-rotated": {begin: planned((*platform).rotateSecret, lookedAt...), end: (*platform).takenBack},
	"broken-image":   {begin: (*platform).breakImage, end: (*platform).undoRollout, lasts: time.Minute},
	"broken-tag":     {begin: (*platform).breakTag, end: (*platform).mendTag, lasts: time.Minute},
	// The node comes back as its successor.
	"drain": {begin: (*platform).drain, end: (*platform).uncordon, lasts: time.Minute},

	"app-pod-lost": {begin: func(p *platform, ctx context.Context) error {
		return p.loseAPod(ctx, p.namespace, p.app)
	}},
	"ingress-pod-lost": {begin: func(p *platform, ctx context.Context) error {
		return p.loseAPod(ctx, ingressNamespace, "traefik")
	}},
	"database-primary-lost": {begin: (*platform).losePrimary},
	"health-broken":         {begin: (*platform).breakHealth, end: (*platform).mendHealth, lasts: time.Minute},

	"node-lost": {begin: troubled("lose"), end: troubled("mend")},
	"node-hung": {begin: troubled("hang"), end: troubled("mend")},
	"node-cut":  {begin: troubled("cut"), end: troubled("mend")},

	"origin-down":     {begin: placed(`"nowhere"`), end: placed("null"), lasts: time.Minute},
	"bucket-down":     {begin: faulty(hanging, buckets), end: well(buckets), lasts: time.Minute},
	"fastly-api-down": {begin: faulty(unavailable, fastlyAPI), end: well(fastlyAPI), lasts: 20 * time.Second},
	"fastly-down":     {begin: (*platform).bypass, end: (*platform).leadBack, lasts: 2 * time.Minute},

	"certificate-renewed":     {begin: (*platform).renew},
	"certificate-unrenewable": {begin: (*platform).forbidRenewal, end: (*platform).allowRenewal, lasts: time.Minute},

	"api-down":    {begin: apiServers("hang"), end: apiServers("mend"), lasts: 5 * time.Minute},
	"policy-torn": {begin: (*platform).tearPolicy, end: (*platform).upAsUsual},
}

const ingressNamespace = "ingress"

// troubled brings the node of an app's replica into trouble of which Linode knows nothing, or out of it.
func troubled(verb string) step {
	return func(p *platform, ctx context.Context) error {
		if verb != "mend" {
			node, err := p.nodeOf(ctx)
			if err != nil {
				return err
			}
			p.node = node
		}
		return p.post(ctx, p.linode+"/_simulation/nodes/"+p.node+"/"+verb, "")
	}
}

// placed has the ingress controller run on nodes with a label, of which there are none, or on all nodes again.
func placed(where string) step {
	return func(p *platform, ctx context.Context) error {
		patch := fmt.Sprintf(`{"spec": {"template": {"spec": {"nodeSelector": {"lke-platform.rehearsal/placed": %s}}}}}`, where)
		_, err := p.kubectl(ctx, "patch", "--namespace", ingressNamespace, "daemonset/traefik", "--type", "merge", "-p", patch)
		return err
	}
}

// drain empties the node of an app's replica.
func (p *platform) drain(ctx context.Context) (err error) {
	if p.node, err = p.nodeOf(ctx); err != nil {
		return err
	}
	_, err = p.kubectl(ctx, "drain", p.node, "--ignore-daemonsets", "--delete-emptydir-data", "--timeout", "5m")
	return err
}

func (p *platform) uncordon(ctx context.Context) error {
	_, err := p.kubectl(ctx, "uncordon", p.node)
	return err
}

// The simulated services that requests to can fail, by the variables of a sandbox that lead there.
const (
	fastlyAPI = "FASTLY_API_URL"
	edge      = "REHEARSAL_EDGE"
	buckets   = "OBJECT_STORAGE_URL"
)

// How they fail: at once, or by no answer.
const (
	unavailable = `[{"status": 503}]`
	hanging     = `[{"delayMs": 3600000}]`
)

// faulty has requests to services fail.
func faulty(how string, services ...string) step {
	return func(p *platform, ctx context.Context) error {
		for _, service := range services {
			if err := p.post(ctx, os.Getenv(service)+simulation.FaultsPath, how); err != nil {
				return err
			}
		}
		return nil
	}
}

// well ends what faulty began.
func well(services ...string) step {
	return func(p *platform, ctx context.Context) error {
		var faults []error
		for _, service := range services {
			faults = append(faults, p.do(ctx, http.MethodDelete, os.Getenv(service)+simulation.FaultsPath, ""))
		}
		return errors.Join(faults...)
	}
}

// bypass leads visitors past Fastly, which serves nobody, as docs/bypass.md has it.
func (p *platform) bypass(ctx context.Context) error {
	if err := faulty(unavailable, edge, fastlyAPI)(p, ctx); err != nil {
		return err
	}
	withoutFastly := optup.Exclude([]string{"**fastly:index/**"})
	return planned(edited(always("true"), "lke-platform:cdn", "bypass"), withoutFastly)(p, ctx)
}

// leadBack leads visitors to Fastly again, which serves them.
func (p *platform) leadBack(ctx context.Context) error {
	return errors.Join(well(edge, fastlyAPI)(p, ctx), p.takenBack(ctx))
}

// apiServers has those of the clusters hang, or answer again.
func apiServers(verb string) step {
	return func(p *platform, ctx context.Context) error {
		return p.post(ctx, p.linode+"/_simulation/api-servers/"+verb, "")
	}
}

// tearPolicy deletes the network policy that lets the ingress controller get to the app, and has `up` make it anew.
func (p *platform) tearPolicy(ctx context.Context) error {
	if _, err := p.kubectl(ctx, "delete", "networkpolicy", "--namespace", p.namespace, "web"); err != nil {
		return err
	}
	return p.upAsUsual(ctx)
}

// breakImage brings a version whose replicas crash, as a release does.
func (p *platform) breakImage(ctx context.Context) error {
	broken := "*=" + "lke-platform.rehearsal/broken@sha256:bad" + strings.Repeat("0", 61)
	_, err := p.kubectl(ctx, "set", "image", "--namespace", p.namespace, "deployment/"+p.app, broken)
	return err
}

// undoRollout brings the version from before, as a release does that undoes itself.
func (p *platform) undoRollout(ctx context.Context) error {
	_, err := p.kubectl(ctx, "rollout", "undo", "--namespace", p.namespace, "deployment/"+p.app)
	return err
}

// breakTag has a version whose replicas crash pushed under the app's tag, and rolled out. What restarts gets it, too: one of the
// replicas from before is lost.
func (p *platform) breakTag(ctx context.Context) error {
	if err := p.push(ctx, spec.TagLeadsTo+"=bad"); err != nil {
		return err
	}
	return p.loseAPod(ctx, p.namespace, p.app)
}

// mendTag pushes the version from before.
func (p *platform) mendTag(ctx context.Context) error { return p.push(ctx, spec.TagLeadsTo+"-") }

// push moves the app's tag, and rolls it out as Keel does.
func (p *platform) push(ctx context.Context, leadsTo string) error {
	if _, err := p.kubectl(ctx, "annotate", "--overwrite", "namespace", p.namespace, leadsTo); err != nil {
		return err
	}
	patch := fmt.Sprintf(`{"spec": {"template": {"metadata": {"annotations": {"keel.sh/update-time": %q}}}}}`, time.Now())
	_, err := p.kubectl(ctx, "patch", "--namespace", p.namespace, "deployment/"+p.app, "--type", "merge", "--patch", patch)
	return err
}

// loseAPod kills one of a Deployment's pods without a goodbye.
func (p *platform) loseAPod(ctx context.Context, namespace, app string) error {
	pods, err := p.podsOf(ctx, namespace, app)
	if err != nil {
		return err
	}
	return p.kill(ctx, pods[0])
}

func (p *platform) kill(ctx context.Context, pod pod) error {
	at := pod.Metadata
	_, err := p.kubectl(ctx, "delete", "pod", "--namespace", at.Namespace, at.Name, "--grace-period", "0", "--force")
	return err
}

// losePrimary kills the server of the database that is written to, in the same way.
func (p *platform) losePrimary(ctx context.Context) error {
	var found struct{ Items []pod }
	if err := p.get(ctx, &found, "pods", "--selector", "postgres-operator.crunchydata.com/role=master"); err != nil {
		return err
	}
	if len(found.Items) == 0 {
		return errors.New("the sandbox has no primary of a database")
	}
	return p.kill(ctx, found.Items[0])
}

// breakHealth has the health of one of the app's replicas answer 503.
func (p *platform) breakHealth(ctx context.Context) error {
	pods, err := p.podsOf(ctx, p.namespace, p.app)
	if err != nil {
		return err
	}
	p.pod = pods[0]
	return p.ask(ctx, p.pod, "/break?path="+p.pod.health())
}

func (p *platform) mendHealth(ctx context.Context) error { return p.ask(ctx, p.pod, "/mend") }
