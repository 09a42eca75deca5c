//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/distribution/reference"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	client "k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"

	"lke-platform/tests/rehearsal/live/policies"
	"lke-platform/tests/rehearsal/live/spec"
)

// containers stands between the kubelet and containerd. It brings images from the archives, and has the played one run where
// there is none: nothing that the API server knows of a pod is another for that.
type containers struct {
	*machine

	containerd *grpc.ClientConn
	images     cri.ImageServiceClient
	api        client.Interface
	policies   *policies.Enforcer
	archives   spec.Images
	// players are the programs of images that stand in for others, by the images' IDs.
	players   sync.Map
	importing sync.Mutex
	answering sync.Map // the IDs of the played containers, for which commands succeed
}

// serveRuntime waits for containerd, and then serves the kubelet.
func (m *machine) serveRuntime() error {
	r := &containers{machine: m}
	content, err := os.ReadFile(m.Images)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(content, &r.archives); err != nil {
		return fmt.Errorf("reading %s: %w", m.Images, err)
	}
	if err := r.connect(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	_, err = cri.NewRuntimeServiceClient(r.containerd).Version(ctx, &cri.VersionRequest{}, grpc.WaitForReady(true))
	if err != nil {
		return fmt.Errorf("waiting for containerd: %w", err)
	}
	for _, player := range []string{spec.Played, spec.App} {
		if _, atHand := r.archives[player]; !atHand {
			continue
		}
		if _, err = r.bring(ctx, player); err != nil {
			return err
		}
	}
	listener, err := net.Listen("unix", runtimeSocket)
	if err != nil {
		return err
	}
	server := grpc.NewServer(grpc.UnknownServiceHandler(r.handle), grpc.ForceServerCodec(bytesCodec{}),
		grpc.MaxRecvMsgSize(messageSize), grpc.MaxSendMsgSize(messageSize))
	go func() { m.ended <- server.Serve(listener) }()
	return nil
}

// messageSize is the largest that a kubelet and containerd send each other.
const messageSize = 16 << 20

func (r *containers) connect() (err error) {
	sizes := grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(messageSize), grpc.MaxCallSendMsgSize(messageSize))
	insecurely := grpc.WithTransportCredentials(insecure.NewCredentials())
	r.containerd, err = grpc.NewClient("unix://"+containerdSocket, insecurely, sizes)
	if err != nil {
		return err
	}
	r.images = cri.NewImageServiceClient(r.containerd)
	config, err := clientcmd.BuildConfigFromFlags("", r.Kubeconfig)
	if err != nil {
		return err
	}
	if r.api, err = client.NewForConfig(config); err != nil {
		return err
	}
	r.policies, err = policies.Enforce(context.Background(), r.api, r.Name, func(err error) { r.ended <- err })
	return err
}

// bytesCodec leaves messages as they are.
type bytesCodec struct{}

func (bytesCodec) Marshal(message any) ([]byte, error) { return *message.(*[]byte), nil }

func (bytesCodec) Unmarshal(data []byte, message any) error {
	*message.(*[]byte) = data
	return nil
}

func (bytesCodec) Name() string { return "proto" }

// handle answers a call, each of which begins with one message of the kubelet's.
func (r *containers) handle(_ any, stream grpc.ServerStream) error {
	var request []byte
	if err := stream.RecvMsg(&request); err != nil {
		return err
	}
	ctx := stream.Context()
	switch method, _ := grpc.MethodFromServerStream(stream); method {
	case cri.ImageService_PullImage_FullMethodName:
		return answer(stream, request, &cri.PullImageRequest{}, func(in *cri.PullImageRequest) (proto.Message, error) {
			id, err := r.bring(ctx, in.GetImage().GetImage())
			return &cri.PullImageResponse{ImageRef: id}, err
		})
	case cri.RuntimeService_RunPodSandbox_FullMethodName:
		return answer(stream, request, &cri.RunPodSandboxRequest{}, func(in *cri.RunPodSandboxRequest) (proto.Message, error) {
			return r.runSandbox(ctx, in)
		})
	case cri.RuntimeService_CreateContainer_FullMethodName:
		in := &cri.CreateContainerRequest{}
		return answer(stream, request, in, func(in *cri.CreateContainerRequest) (proto.Message, error) {
			return r.create(ctx, in)
		})
	case cri.RuntimeService_ExecSync_FullMethodName:
		in := &cri.ExecSyncRequest{}
		return answer(stream, request, in, func(in *cri.ExecSyncRequest) (proto.Message, error) {
			return r.execute(ctx, in)
		})
	default:
		return r.forward(stream, method, request)
	}
}

// answer decodes a request and encodes what is answered.
func answer[T proto.Message](stream grpc.ServerStream, request []byte, in T, f func(T) (proto.Message, error)) error {
	if err := proto.Unmarshal(request, in); err != nil {
		return err
	}
	out, err := f(in)
	if err != nil {
		return err
	}
	encoded, err := proto.Marshal(out)
	if err != nil {
		return err
	}
	return stream.SendMsg(&encoded)
}

// forward has containerd answer.
func (r *containers) forward(stream grpc.ServerStream, method string, request []byte) error {
	description := &grpc.StreamDesc{ServerStreams: true}
	call, err := r.containerd.NewStream(stream.Context(), description, method, grpc.ForceCodec(bytesCodec{}))
	if err != nil {
		return err
	}
	if err := call.SendMsg(&request); err != nil {
		return err
	}
	if err := call.CloseSend(); err != nil {
		return err
	}
	for {
		var response []byte
		err := call.RecvMsg(&response)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = stream.SendMsg(&response)
		}
		if err != nil {
			return err
		}
	}
}

// bring has an image in containerd, or the played one under its name, and returns its ID.
func (r *containers) bring(ctx context.Context, image string) (id string, err error) {
	name, err := reference.ParseDockerRef(image)
	if err != nil {
		return "", fmt.Errorf("image %s: %w", image, err)
	}
	r.importing.Lock()
	defer r.importing.Unlock()
	archive, found := r.archives[name.String()]
	if !found {
		archive, found = r.archives[reference.TrimNamed(name).String()]
	}
	player := ""
	switch archive {
	case "", r.archives[spec.Played]:
		player = "/played"
	case r.archives[spec.App]:
		player = "/app"
	}
	if found {
		err = r.importImage(ctx, archive, name.String())
	} else {
		err = r.ctr(ctx, "images", "tag", "--force", "--local", spec.Played, name.String())
		r.note(name.String())
	}
	for err == nil && ctx.Err() == nil { // containerd's own list of images comes a little later
		var status *cri.ImageStatusResponse
		status, err = r.images.ImageStatus(ctx, &cri.ImageStatusRequest{Image: &cri.ImageSpec{Image: name.String()}})
		if id := status.GetImage().GetId(); id != "" {
			if player != "" {
				r.players.Store(id, player)
			}
			return id, nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	return "", errors.Join(err, ctx.Err())
}

// note lists an image that is played, for the rehearsal to tell.
func (r *containers) note(image string) {
	list, err := os.OpenFile(filepath.Join(r.Dir, "played"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err == nil {
		_, err = fmt.Fprintln(list, image)
		err = errors.Join(err, list.Close())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "node: noting a played image:", err)
	}
}

// runSandbox makes what the containers of a pod share. They start when the network policies are in force for them.
func (r *containers) runSandbox(ctx context.Context, in *cri.RunPodSandboxRequest) (*cri.RunPodSandboxResponse, error) {
	runtime := cri.NewRuntimeServiceClient(r.containerd)
	out, err := runtime.RunPodSandbox(ctx, in)
	if err != nil {
		return nil, err
	}
	sandbox, err := runtime.PodSandboxStatus(ctx, &cri.PodSandboxStatusRequest{PodSandboxId: out.GetPodSandboxId()})
	if err != nil {
		return nil, err
	}
	address := sandbox.GetStatus().GetNetwork().GetIp()
	if address == "" { // the machine's
		return out, nil
	}
	pod := in.GetConfig().GetMetadata()
	return out, r.policies.Admit(ctx, pod.GetNamespace(), pod.GetName(), types.UID(pod.GetUid()), address)
}

// create makes a container, which is told where the rehearsal is. A played one is told what it has to do.
func (r *containers) create(ctx context.Context, in *cri.CreateContainerRequest) (*cri.CreateContainerResponse, error) {
	config := in.GetConfig()
	player, played := r.players.Load(config.GetImage().GetImage())
	if played {
		labels := config.GetLabels()
		pods := r.api.CoreV1().Pods(labels["io.kubernetes.pod.namespace"])
		pod, err := pods.Get(ctx, labels["io.kubernetes.pod.name"], metav1.GetOptions{})
		if err != nil {
			return nil, fmt.Errorf("asking what a played container has to do: %w", err)
		}
		if err := r.follow(ctx, pod); err != nil {
			return nil, fmt.Errorf("asking where the tags of a namespace lead: %w", err)
		}
		config.Command, config.Args = []string{player.(string)}, part(pod, labels["io.kubernetes.container.name"])
	}
	for name, value := range r.Environment {
		config.Envs = append(config.Envs, &cri.KeyValue{Key: name, Value: []byte(value)})
	}
	if r.Roots != "" {
		const seen = "/run/rehearsal/roots.pem"
		config.Mounts = append(config.Mounts, &cri.Mount{HostPath: r.Roots, ContainerPath: seen, Readonly: true})
		config.Envs = append(config.Envs, &cri.KeyValue{Key: "SSL_CERT_FILE", Value: []byte(seen)})
	}
	out, err := cri.NewRuntimeServiceClient(r.containerd).CreateContainer(ctx, in)
	if played && err == nil {
		r.answering.Store(out.GetContainerId(), true)
	}
	return out, err
}

// follow puts, in the place of a pod's images, those that their tags lead to where these have moved.
func (r *containers) follow(ctx context.Context, pod *corev1.Pod) error {
	namespace, err := r.api.CoreV1().Namespaces().Get(ctx, pod.Namespace, metav1.GetOptions{})
	if err != nil {
		return err
	}
	to, moved := namespace.Annotations[spec.TagLeadsTo]
	for i := range pod.Spec.Containers {
		if image := &pod.Spec.Containers[i].Image; moved && !strings.Contains(*image, "@") {
			*image += "@sha256:" + to
		}
	}
	return nil
}

// execute runs the command of a probe or a hook in a container. In a played one it succeeds.
func (r *containers) execute(ctx context.Context, in *cri.ExecSyncRequest) (*cri.ExecSyncResponse, error) {
	if _, played := r.answering.Load(in.GetContainerId()); played {
		return &cri.ExecSyncResponse{}, nil
	}
	return cri.NewRuntimeServiceClient(r.containerd).ExecSync(ctx, in)
}
