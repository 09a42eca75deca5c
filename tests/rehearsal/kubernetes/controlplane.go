package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/version"
	"k8s.io/apimachinery/pkg/util/wait"
	client "k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"lke-platform/tests/rehearsal/linode"
)

const (
	// startTime is how long a control plane may take to come up. Three seconds are usual; a busy CI machine needs more.
	startTime = time.Minute
	// portAttempts is how often a start is tried with other ports when somebody else was faster to take one.
	portAttempts = 3

	// The networks of LKE's standard tier.
	podNetwork     = "10.2.0.0/16"
	serviceNetwork = "10.128.0.0/16"
)

// errPortTaken says that a port that was free a moment ago is not.
var errPortTaken = errors.New("port taken")

// controlPlane is the running Kubernetes of one cluster.
type controlPlane struct {
	dir      string
	version  string // as asked for
	port     int    // of the API server
	access   linode.Access
	programs *programs
	client   client.Interface
	nodes    *nodes
	machines Machines
	kubelet  string // the version that nodes report
	// stopControllers ends what else works in the cluster.
	stopControllers func()
}

// startControlPlane brings up the cluster whose data is in dir, or a new one where there is none.
func startControlPlane(ctx context.Context, o Options, dir string, clusterID int, version string) (*controlPlane, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	p := &controlPlane{dir: dir, version: version, machines: o.Machines, stopControllers: func() {}}
	var err error
	for range portAttempts {
		if err = p.start(ctx, o, clusterID); !errors.Is(err, errPortTaken) {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	return p, nil
}

// start does one attempt: all programs run and the API answers, or none is left.
func (p *controlPlane) start(ctx context.Context, o Options, clusterID int) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	if err := p.identify(clusterID, o.LeaveAlone); err != nil {
		return err
	}
	var err error
	if p.programs, err = startPrograms(o.Bin, p.dir, o.Log); err != nil {
		return err
	}
	if err := p.bringUp(ctx); err != nil {
		return errors.Join(err, p.programs.stop())
	}
	if p.nodes, err = watchNodes(p); err != nil {
		return errors.Join(err, p.programs.stop())
	}
	p.programs.watched.Store(true)
	return nil
}

// identify loads the cluster's identity, connects a client to it and writes the programs' files.
func (p *controlPlane) identify(clusterID int, leaveAlone []string) error {
	identity, err := loadIdentity(p.dir)
	if err != nil {
		return err
	}
	kubeconfig, err := identity.kubeconfig(clusterID)
	if err != nil {
		return err
	}
	config, err := clientcmd.RESTConfigFromKubeConfig(kubeconfig)
	if err != nil {
		return err
	}
	config.QPS = -1 // no limit: the server is ours alone
	if p.client, err = client.NewForConfig(config); err != nil {
		return err
	}
	p.port = identity.Port
	p.access = linode.Access{Kubeconfig: kubeconfig, Endpoint: config.Host}
	stages, err := stages(leaveAlone)
	if err != nil {
		return err
	}
	return identity.write(p.dir, kubeconfig, stages)
}

// bringUp starts the programs, each when the one that it needs answers.
func (p *controlPlane) bringUp(ctx context.Context) error {
	emulation, err := emulatedVersion(p.version)
	if err != nil {
		return err
	}
	if err := p.bringUpServers(ctx, emulation); err != nil {
		return err
	}
	served, err := p.client.Discovery().ServerVersion()
	if err != nil {
		return err
	}
	p.kubelet = served.GitVersion
	if err := p.publish(ctx); err != nil {
		return err
	}
	return p.bringUpControllers(ctx, emulation)
}

func (p *controlPlane) bringUpServers(ctx context.Context, emulation string) error {
	port, err := freePort()
	if err != nil {
		return err
	}
	etcd := fmt.Sprintf("http://127.0.0.1:%d", port)
	if err := p.beginEtcd(); err != nil {
		return err
	}
	if err := p.programs.start("etcd", etcdArgs(p.dir, etcd)...); err != nil {
		return err
	}
	if err := p.await(ctx, "etcd", func(ctx context.Context) error { return get(ctx, etcd+"/health") }); err != nil {
		return err
	}
	if err := os.RemoveAll(p.unborn()); err != nil {
		return err
	}
	egress, err := p.egress()
	if err != nil {
		return err
	}
	arguments := append(apiserverArgs(p.dir, etcd, p.port), emulation)
	if err := p.programs.start("kube-apiserver", append(arguments, egress...)...); err != nil {
		return err
	}
	return p.await(ctx, "the API server", p.apiReady)
}

// unborn is a file that is there from etcd's first start until it answers.
func (p *controlPlane) unborn() string { return filepath.Join(p.dir, "etcd.unborn") }

// beginEtcd clears what an etcd left that was stopped before it answered for the first time: nothing is in it, and on what there
// is of a log no member would ever be elected.
func (p *controlPlane) beginEtcd() error {
	data := filepath.Join(p.dir, "etcd")
	if _, err := os.Stat(p.unborn()); err == nil {
		if err := os.RemoveAll(data); err != nil {
			return err
		}
	}
	if _, err := os.Stat(data); err == nil {
		return nil
	}
	return os.WriteFile(p.unborn(), nil, 0o600)
}

func (p *controlPlane) bringUpControllers(ctx context.Context, emulation string) error {
	if err := p.dropLeases(ctx); err != nil {
		return err
	}
	if err := p.programs.start("kube-controller-manager", append(controllerManagerArgs(p.dir), emulation)...); err != nil {
		return err
	}
	if err := p.programs.start("kube-scheduler", append(schedulerArgs(p.dir), emulation)...); err != nil {
		return err
	}
	if p.machines == (simulated{}) {
		if err := p.programs.start("kwok", kwokArgs(p.dir)...); err != nil {
			return err
		}
	}
	if err := p.await(ctx, "the controllers", p.controllersReady); err != nil {
		return err
	}
	return p.machines.Equip(ctx, p.access.Kubeconfig)
}

// await polls until ready returns nil. It fails at once when a program ends.
func (p *controlPlane) await(ctx context.Context, what string, ready func(context.Context) error) error {
	var last error
	err := wait.PollUntilContextCancel(ctx, 50*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		if err := p.programs.ended(); err != nil {
			if strings.Contains(err.Error(), "address already in use") {
				err = fmt.Errorf("%w: %w", errPortTaken, err)
			}
			return false, err
		}
		last = ready(ctx)
		return last == nil, nil
	})
	if ctx.Err() != nil {
		return fmt.Errorf("waiting for %s, logs in %s: %w", what, filepath.Join(p.dir, "logs"), errors.Join(err, last))
	}
	return err
}

func get(ctx context.Context, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return errors.New(response.Status)
	}
	return nil
}

func (p *controlPlane) apiReady(ctx context.Context) error {
	return p.client.CoreV1().RESTClient().Get().AbsPath("/readyz").Do(ctx).Error()
}

// dropLeases takes the nodes' leases from the kwok of the run before. The new one would respect them until they expire
// and would not touch the nodes and their pods for so long.
func (p *controlPlane) dropLeases(ctx context.Context) error {
	leases := p.client.CoordinationV1().Leases(corev1.NamespaceNodeLease)
	return leases.DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{})
}

// controllersReady: without its namespace's service account no pod is admitted, and the controller manager makes it.
func (p *controlPlane) controllersReady(ctx context.Context) error {
	_, err := p.client.CoreV1().ServiceAccounts(corev1.NamespaceDefault).Get(ctx, "default", metav1.GetOptions{})
	return err
}

// stop ends the machines of the nodes, and the control plane.
func (p *controlPlane) stop() error {
	return errors.Join(p.nodes.stop(p.machines.Stop), p.leave())
}

// leave ends the controllers and the programs. What runs on the nodes goes on.
func (p *controlPlane) leave() error {
	p.stopControllers()
	p.nodes.close()
	return p.programs.stop()
}

// emulatedVersion returns the flag that makes a component take the part of a minor version of Kubernetes.
// https://kubernetes.io/docs/concepts/cluster-administration/compatibility-version/
func emulatedVersion(asked string) (string, error) {
	v, err := version.ParseGeneric(asked)
	if err != nil {
		return "", fmt.Errorf("version of Kubernetes: %w", err)
	}
	return fmt.Sprintf("--emulated-version=kube=%d.%d", v.Major(), v.Minor()), nil
}
