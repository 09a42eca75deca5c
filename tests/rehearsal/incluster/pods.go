package incluster

import (
	"context"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	corev1apply "k8s.io/client-go/applyconfigurations/core/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"

	"lke-platform/tests/rehearsal/kubernetes"
)

// Pods says which pods are not simulated: their one container is a process of this machine.
type Pods struct {
	// Programs are the paths of the programs that run in containers, by the image, of which tag and digest do not count. Nobody
	// else may touch pods of these images: see kubernetes.Options.LeaveAlone.
	Programs map[string]string
	// Environment is laid over that of each container, to point it at the rehearsal.
	Environment map[string]string
	// Logs is the folder that takes what containers print, a file for each.
	Logs string
}

// program is the path of what runs in a pod; "" for a pod that is simulated.
func (p *Pods) program(pod *corev1.Pod) string {
	for image, path := range p.Programs {
		for _, container := range pod.Spec.Containers {
			if kubernetes.Repository(container.Image) == kubernetes.Repository(image) {
				return path
			}
		}
	}
	return ""
}

// kubelet runs the pods of a cluster that are not simulated, on whichever node they are.
type kubelet struct {
	*cluster
	mu   sync.Mutex
	live map[types.UID]*livePod // until they are gone
	work sync.WaitGroup
}

// livePod is a pod whose container ran, runs or will run.
type livePod struct {
	*corev1.Pod // as it was when its life began
	stop        context.CancelFunc
}

// runPods plays the kubelet of all nodes for the pods that are not simulated.
func (c *cluster) runPods(ctx context.Context) {
	if len(c.pods.Programs) == 0 {
		return
	}
	k := &kubelet{cluster: c, live: map[types.UID]*livePod{}}
	factory := informers.NewSharedInformerFactory(c.client, 0)
	_, err := factory.Core().V1().Pods().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(object any) { k.see(ctx, object.(*corev1.Pod)) },
		UpdateFunc: func(_, object any) { k.see(ctx, object.(*corev1.Pod)) },
		DeleteFunc: k.forget,
	})
	if err != nil {
		c.log.Error("watching pods failed", "error", err)
		return
	}
	factory.StartWithContext(ctx)
	<-ctx.Done()
	factory.Shutdown() // first, as it may begin more work
	k.work.Wait()
}

// see begins the life of a pod that has a node, and ends that of one that is deleted.
func (k *kubelet) see(ctx context.Context, pod *corev1.Pod) {
	program := k.pods.program(pod)
	if program == "" || pod.Spec.NodeName == "" || ended(pod) {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	live, known := k.live[pod.UID]
	if !known {
		var lifetime context.Context
		live = &livePod{Pod: pod.DeepCopy()}
		lifetime, live.stop = context.WithCancel(ctx)
		k.live[pod.UID] = live
		k.work.Go(func() { k.runPod(ctx, lifetime, live, program) })
	}
	if pod.DeletionTimestamp != nil {
		live.stop()
	}
}

// forget ends a pod that is gone.
func (k *kubelet) forget(object any) {
	if last, missed := object.(cache.DeletedFinalStateUnknown); missed {
		object = last.Obj
	}
	pod, isPod := object.(*corev1.Pod)
	if !isPod {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if live, known := k.live[pod.UID]; known {
		live.stop()
		delete(k.live, pod.UID)
	}
}

func ended(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
}

// runPod runs a pod to its end, which comes early when its lifetime does: then it has been deleted. When ctx ends, the node is
// switched off, so to speak, and nobody notes anything.
func (k *kubelet) runPod(ctx, lifetime context.Context, pod *livePod, program string) {
	defer pod.stop()
	end := corev1.ContainerStateTerminated{
		ExitCode: 137, Reason: "ContainerStatusUnknown", FinishedAt: metav1.Now(),
		Message: "The container could not be located when the pod was terminated",
	}
	if pod.Status.Phase == corev1.PodPending { // else it ran in a rehearsal that was stopped
		end = k.runContainer(ctx, lifetime, pod, program)
	}
	if ctx.Err() != nil {
		return
	}
	k.noteEnd(ctx, pod, end)
	if lifetime.Err() != nil {
		k.remove(ctx, pod)
	}
}

// runContainer starts the container as soon as all that it needs is there, and returns how it ended.
func (k *kubelet) runContainer(ctx, lifetime context.Context, pod *livePod, program string) corev1.ContainerStateTerminated {
	container, err := k.awaitContainer(lifetime, pod)
	if err != nil { // deleted before
		return corev1.ContainerStateTerminated{ExitCode: 137, Reason: "Error", FinishedAt: metav1.Now()}
	}
	defer func() {
		if err := container.cleanUp(); err != nil {
			k.log.Warn("a pod left something behind", "pod", pod.Name, "error", err)
		}
	}()
	begin := metav1.Now()
	if err := container.start(lifetime, pod.Pod, program, k.pods.Logs); err != nil {
		return corev1.ContainerStateTerminated{
			ExitCode: 128, Reason: "StartError", Message: err.Error(), StartedAt: begin, FinishedAt: metav1.Now(),
		}
	}
	k.noteState(ctx, pod, corev1.PodRunning, corev1apply.ContainerState().
		WithRunning(corev1apply.ContainerStateRunning().WithStartedAt(begin)))
	end := container.wait()
	end.StartedAt, end.FinishedAt = begin, metav1.Now()
	return end
}

// awaitContainer prepares the container, again and again until it can be. Meanwhile the pod says what is missing.
func (k *kubelet) awaitContainer(ctx context.Context, pod *livePod) (prepared *container, err error) {
	said := ""
	err = wait.PollUntilContextCancel(ctx, retryDelay, true, func(ctx context.Context) (bool, error) {
		prepared, err = k.prepare(ctx, pod.Pod)
		if err != nil && err.Error() != said && ctx.Err() == nil {
			said = err.Error()
			k.noteState(ctx, pod, corev1.PodPending, corev1apply.ContainerState().
				WithWaiting(corev1apply.ContainerStateWaiting().WithReason("CreateContainerConfigError").WithMessage(said)))
		}
		return err == nil, nil
	})
	return prepared, err
}

func (k *kubelet) noteEnd(ctx context.Context, pod *livePod, end corev1.ContainerStateTerminated) {
	phase := corev1.PodSucceeded
	if end.ExitCode != 0 {
		phase = corev1.PodFailed
	}
	k.noteState(ctx, pod, phase, corev1apply.ContainerState().WithTerminated(corev1apply.ContainerStateTerminated().
		WithExitCode(end.ExitCode).WithSignal(end.Signal).WithReason(end.Reason).WithMessage(end.Message).
		WithStartedAt(end.StartedAt).WithFinishedAt(end.FinishedAt)))
}

// noteState sets the status of a pod, as the kubelet would, until that succeeds or the pod is gone.
func (k *kubelet) noteState(
	ctx context.Context, pod *livePod, phase corev1.PodPhase, state *corev1apply.ContainerStateApplyConfiguration,
) {
	of := pod.Spec.Containers[0]
	running := phase == corev1.PodRunning
	status := corev1apply.PodStatus().WithPhase(phase).WithStartTime(pod.CreationTimestamp).
		WithConditions(
			condition(corev1.PodInitialized, true, phase), condition(corev1.ContainersReady, running, phase),
			condition(corev1.PodReady, running, phase),
		).
		WithContainerStatuses(corev1apply.ContainerStatus().WithName(of.Name).WithImage(of.Image).WithImageID(of.Image).
			WithReady(running).WithStarted(running).WithRestartCount(0).WithState(state))
	applied := corev1apply.Pod(pod.Name, pod.Namespace).WithUID(pod.UID).WithStatus(status)
	k.insist(ctx, pod, func(ctx context.Context) error {
		_, err := k.client.CoreV1().Pods(pod.Namespace).ApplyStatus(ctx, applied, apply)
		return err
	})
}

func condition(kind corev1.PodConditionType, holds bool, phase corev1.PodPhase) *corev1apply.PodConditionApplyConfiguration {
	c := corev1apply.PodCondition().WithType(kind).WithStatus(corev1.ConditionFalse).WithLastTransitionTime(metav1.Now())
	switch {
	case holds:
		c.WithStatus(corev1.ConditionTrue)
	case phase == corev1.PodSucceeded:
		c.WithReason("PodCompleted")
	case phase == corev1.PodFailed:
		c.WithReason("PodFailed")
	default:
		c.WithReason("ContainersNotReady")
	}
	return c
}

// remove tells the API server that nothing runs any more of a pod that is deleted.
func (k *kubelet) remove(ctx context.Context, pod *livePod) {
	k.insist(ctx, pod, func(ctx context.Context) error {
		options := metav1.NewDeleteOptions(0)
		options.Preconditions = metav1.NewUIDPreconditions(string(pod.UID))
		return k.client.CoreV1().Pods(pod.Namespace).Delete(ctx, pod.Name, *options)
	})
}

// insist tries until it succeeds, or the pod is gone, or another has its name.
func (k *kubelet) insist(ctx context.Context, pod *livePod, try func(context.Context) error) {
	_ = wait.PollUntilContextCancel(ctx, retryDelay, true, func(ctx context.Context) (bool, error) {
		err := try(ctx)
		if err == nil || apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
			return true, nil
		}
		if ctx.Err() == nil {
			k.log.Warn("the status of a pod could not be noted", "pod", pod.Namespace+"/"+pod.Name, "error", err)
		}
		return false, nil
	})
}

// gracePeriod is how long a container may take to end when it is asked to.
func gracePeriod(pod *corev1.Pod) time.Duration {
	if asked := pod.Spec.TerminationGracePeriodSeconds; asked != nil {
		return time.Duration(*asked) * time.Second
	}
	return corev1.DefaultTerminationGracePeriodSeconds * time.Second
}
