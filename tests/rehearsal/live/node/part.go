//go:build linux

package main

import (
	"cmp"
	"maps"
	"regexp"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
)

// How a version does may be said by its digest, as where pods are simulated.
var (
	failing = regexp.MustCompile(`@sha256:fa11`)
	unwell  = regexp.MustCompile(`@sha256:bad`)
)

// part is what the played container of a pod has to do: one that is to end does so, another answers where it is asked.
func part(pod *corev1.Pod, name string) []string {
	initial := slices.IndexFunc(pod.Spec.InitContainers, func(c corev1.Container) bool { return c.Name == name })
	if initial >= 0 {
		container := pod.Spec.InitContainers[initial]
		if container.RestartPolicy == nil || *container.RestartPolicy != corev1.ContainerRestartPolicyAlways {
			return ending(container)
		}
		return serving(container)
	}
	at := slices.IndexFunc(pod.Spec.Containers, func(c corev1.Container) bool { return c.Name == name })
	if at < 0 {
		return nil
	}
	switch container := pod.Spec.Containers[at]; {
	case pod.Spec.RestartPolicy != corev1.RestartPolicyAlways:
		return ending(container)
	case unwell.MatchString(container.Image):
		return []string{"exit", "1"}
	default:
		return serving(container)
	}
}

func ending(container corev1.Container) []string {
	if failing.MatchString(container.Image) || len(container.Command) > 0 && container.Command[0] == "false" {
		return []string{"exit", "1"}
	}
	return []string{"exit", "0"}
}

// serving lists the ports of a container, also those that are only probed.
func serving(container corev1.Container) []string {
	ports := map[int32]string{}
	for _, port := range container.Ports {
		if port.Protocol == corev1.ProtocolTCP {
			ports[port.ContainerPort] = strconv.Itoa(int(port.ContainerPort))
		}
	}
	for _, probe := range []*corev1.Probe{container.StartupProbe, container.ReadinessProbe, container.LivenessProbe} {
		switch handler := cmp.Or(probe, &corev1.Probe{}); {
		case handler.HTTPGet != nil:
			port := portOf(container, handler.HTTPGet.Port.String())
			ports[port] = strconv.Itoa(int(port))
			if handler.HTTPGet.Scheme == corev1.URISchemeHTTPS {
				ports[port] = "https:" + ports[port]
			}
		case handler.TCPSocket != nil:
			port := portOf(container, handler.TCPSocket.Port.String())
			ports[port] = cmp.Or(ports[port], strconv.Itoa(int(port)))
		}
	}
	arguments := []string{"serve"}
	for _, port := range slices.Sorted(maps.Keys(ports)) {
		arguments = append(arguments, ports[port])
	}
	return arguments
}

// portOf is the number of a port that a probe gives by its number or its name.
func portOf(container corev1.Container, port string) int32 {
	for _, declared := range container.Ports {
		if declared.Name == port {
			return declared.ContainerPort
		}
	}
	number, _ := strconv.ParseInt(port, 10, 32) // the API server takes nothing else
	return int32(number)
}
