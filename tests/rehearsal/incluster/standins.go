package incluster

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/wait"
	corev1apply "k8s.io/client-go/applyconfigurations/core/v1"
	networkingv1apply "k8s.io/client-go/applyconfigurations/networking/v1"
)

// ingressChart says what of an ingress controller's chart the platform waits for.
type ingressChart struct {
	controller          string
	class               []string // where the values have the name of the class
	annotations         []string // of the Service
	distribution        []string // of the Service
	defaultIngressClass string
	serviceSuffix       string // what the chart appends to the release's name
	web, secure         string // the names of its ports 80 and 443, in the Service and in pods
}

// className is the name of the class that values, or else the chart, give.
func (i *ingressChart) className(values map[string]any) string {
	if name, named, _ := unstructured.NestedString(values, i.class...); named {
		return name
	}
	return i.defaultIngressClass
}

// ingressCharts are by the chart's name.
var ingressCharts = map[string]ingressChart{
	"traefik": {
		controller: "traefik.io/ingress-controller", defaultIngressClass: "traefik",
		class: []string{"ingressClass", "name"}, annotations: []string{"service", "annotations"},
		distribution: []string{"service", "spec", "trafficDistribution"},
		web:          "web", secure: "websecure",
	},
	"ingress-nginx": {
		controller: "k8s.io/ingress-nginx", defaultIngressClass: "nginx",
		class:         []string{"controller", "ingressClassResource", "name"},
		annotations:   []string{"controller", "service", "annotations"},
		distribution:  []string{"controller", "service", "trafficDistribution"},
		serviceSuffix: "-controller",
		web:           "http", secure: "https",
	},
}

// standIn makes what others wait for of a release that is not rendered, and waits for the NodeBalancer of an ingress controller,
// as Helm does.
func (c *cluster) standIn(ctx context.Context, release Release) error {
	if err := c.define(ctx, release); err != nil {
		return err
	}
	switch release.Chart {
	case firewallController:
		return c.installFirewallController(ctx)
	case certManager:
		c.managerFlags.Store(new(managerFlags(release.Values)))
	}
	chart, found := ingressCharts[release.Chart]
	if !found {
		return nil
	}
	class := networkingv1apply.IngressClass(chart.className(release.Values)).
		WithSpec(networkingv1apply.IngressClassSpec().WithController(chart.controller))
	if _, err := c.client.NetworkingV1().IngressClasses().Apply(ctx, class, apply); err != nil {
		return err
	}
	annotations, _, err := unstructured.NestedStringMap(release.Values, chart.annotations...)
	if err != nil {
		return err
	}
	labels := map[string]string{"app.kubernetes.io/name": release.Chart, "app.kubernetes.io/instance": release.Name}
	spec := corev1apply.ServiceSpec().WithType(corev1.ServiceTypeLoadBalancer).WithSelector(labels)
	if distribution, ok := value(release.Values, chart.distribution...).(string); ok {
		spec.WithTrafficDistribution(distribution)
	}
	for name, port := range map[string]int32{chart.web: 80, chart.secure: 443} {
		spec.WithPorts(corev1apply.ServicePort().WithName(name).WithPort(port).WithTargetPort(intstr.FromString(name)).
			WithProtocol(corev1.ProtocolTCP))
	}
	service := corev1apply.Service(release.Name+chart.serviceSuffix, release.Namespace).
		WithLabels(labels).WithAnnotations(annotations).WithSpec(spec)
	services := c.client.CoreV1().Services(release.Namespace)
	if _, err = services.Apply(ctx, service, apply); err != nil {
		return err
	}
	if c.playsTraefik(release) {
		if err := c.runTraefik(ctx, release); err != nil {
			return err
		}
	}
	return wait.PollUntilContextCancel(ctx, retryDelay, true, func(ctx context.Context) (bool, error) {
		live, err := services.Get(ctx, *service.Name, metav1.GetOptions{})
		return err == nil && len(live.Status.LoadBalancer.Ingress) > 0, err
	})
}

// removeStandIn removes what standIn made, but for definitions: the class and the Service of an ingress controller, whose
// NodeBalancer it waits for to go, or the controller of the nodes' firewall.
func (c *cluster) removeStandIn(ctx context.Context, release Release) error {
	if release.Chart == firewallController {
		return c.removeFirewallController(ctx)
	}
	chart, found := ingressCharts[release.Chart]
	if !found {
		return nil
	}
	err := c.client.NetworkingV1().IngressClasses().Delete(ctx, chart.className(release.Values), metav1.DeleteOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return err
	}
	if c.playsTraefik(release) {
		if err := c.removeTraefik(ctx, release); err != nil {
			return err
		}
	}
	services, name := c.client.CoreV1().Services(release.Namespace), release.Name+chart.serviceSuffix
	if err := services.Delete(ctx, name, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
		return err
	}
	return wait.PollUntilContextCancel(ctx, retryDelay, true, func(ctx context.Context) (bool, error) {
		_, err := services.Get(ctx, name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return true, nil
		}
		return false, err
	})
}
