package main

import (
	"context"
	"errors"
	"time"
)

// incident is what happens to a platform.
type incident struct {
	// begin brings the trouble, and end takes it away; nil where it goes away by itself.
	begin, end func(*platform, context.Context) error
	// lasts is when it ends; where this is zero, the platform is to help itself, and it ends when all is measured.
	lasts time.Duration
}

// incidents are all of them, by name.
var incidents = map[string]*incident{
	"rollout": {begin: func(p *platform, ctx context.Context) error {
		_, err := p.kubectl(ctx, "rollout", "restart", "--namespace", p.namespace, "deployment/"+p.app)
		return err
	}},
	// The node comes back as its successor.
	"drain": {begin: (*platform).drain, end: (*platform).uncordon, lasts: time.Minute},

	"app-pod-lost": {begin: func(p *platform, ctx context.Context) error {
		return p.loseAPod(ctx, p.namespace, p.app)
	}},
	"ingress-pod-lost": {begin: func(p *platform, ctx context.Context) error {
		return p.loseAPod(ctx, ingressNamespace, "traefik")
	}},
	"database-primary-lost": {begin: (*platform).losePrimary},
	"health-broken":         {begin: (*platform).breakHealth},

	"node-lost": {begin: troubled("lose"), end: troubled("mend")},
	"node-hung": {begin: troubled("hang"), end: troubled("mend")},
	"node-cut":  {begin: troubled("cut"), end: troubled("mend")},

	"origin-down": {begin: scaled("0"), end: scaled("2"), lasts: time.Minute},
	"fastly-api-down": {
		begin: func(p *platform, ctx context.Context) error {
			return p.post(ctx, p.fastly+"/_simulation/faults", `[{"status": 503}]`)
		},
		end:   func(p *platform, ctx context.Context) error { return p.delete(ctx, p.fastly+"/_simulation/faults") },
		lasts: 20 * time.Second,
	},
}

const ingressNamespace = "ingress"

// troubled brings the node of an app's replica into trouble of which Linode knows nothing, or out of it.
func troubled(verb string) func(*platform, context.Context) error {
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

// scaled gives the ingress controller so many replicas.
func scaled(replicas string) func(*platform, context.Context) error {
	return func(p *platform, ctx context.Context) error {
		_, err := p.kubectl(ctx, "scale", "--namespace", ingressNamespace, "deployment/traefik", "--replicas", replicas)
		return err
	}
}

// drain empties the node of an app's replica, as `up` does before it deletes one.
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

// breakHealth has the health of one of the app's replicas answer 503 for a minute.
func (p *platform) breakHealth(ctx context.Context) error {
	pods, err := p.podsOf(ctx, p.namespace, p.app)
	if err != nil {
		return err
	}
	return p.ask(ctx, pods[0], "/break?for=1m&path="+pods[0].health())
}
