package incluster

import (
	"context"
	"slices"
	"sync"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ingressControllers selects the Services of the ingress controllers that the platform can have: one of them.
const ingressControllers = "app.kubernetes.io/name in (traefik, ingress-nginx)"

// runIngresses gives each Ingress whose class exists the addresses of the ingress controller's Service, as Traefik and
// ingress-nginx do when told to publish them.
func (c *cluster) runIngresses(ctx context.Context) {
	var running sync.WaitGroup
	defer running.Wait()
	running.Go(func() {
		c.follow(ctx, networkingv1.SchemeGroupVersion.WithResource("ingresses"), typed(c.publish))
	})
	running.Go(func() {
		c.follow(ctx, services, typed(c.publishAll))
	})
}

// publishAll follows a change of a Service's addresses.
func (c *cluster) publishAll(ctx context.Context, service *corev1.Service) error {
	if service.Spec.Type != corev1.ServiceTypeLoadBalancer {
		return nil
	}
	ingresses, err := c.client.NetworkingV1().Ingresses(corev1.NamespaceAll).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	for _, ingress := range ingresses.Items {
		if len(ingress.Status.LoadBalancer.Ingress) == 0 {
			continue // its own turn comes
		}
		if err := c.publish(ctx, &ingress); err != nil {
			return err
		}
	}
	return nil
}

func (c *cluster) publish(ctx context.Context, ingress *networkingv1.Ingress) error {
	if classed, err := c.hasClass(ctx, ingress); err != nil {
		return err
	} else if !classed {
		return errNotYet
	}
	services, err := c.client.CoreV1().Services(corev1.NamespaceAll).List(ctx, metav1.ListOptions{
		LabelSelector: ingressControllers,
	})
	if err != nil {
		return err
	}
	published := networkingv1.IngressLoadBalancerStatus{}
	for _, service := range services.Items {
		for _, address := range service.Status.LoadBalancer.Ingress {
			published.Ingress = append(published.Ingress,
				networkingv1.IngressLoadBalancerIngress{IP: address.IP, Hostname: address.Hostname})
		}
	}
	switch {
	case len(published.Ingress) == 0:
		return errNotYet
	case equality.Semantic.DeepEqual(ingress.Status.LoadBalancer, published):
		return nil
	}
	ingress.Status.LoadBalancer = published
	_, err = c.client.NetworkingV1().Ingresses(ingress.Namespace).UpdateStatus(ctx, ingress, metav1.UpdateOptions{})
	return err
}

// hasClass tells whether the class exists that an Ingress names, or a default one where it names none.
func (c *cluster) hasClass(ctx context.Context, ingress *networkingv1.Ingress) (bool, error) {
	classes := c.client.NetworkingV1().IngressClasses()
	if name := ingress.Spec.IngressClassName; name != nil {
		_, err := classes.Get(ctx, *name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return false, nil
		}
		return err == nil, err
	}
	all, err := classes.List(ctx, metav1.ListOptions{})
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(all.Items, func(class networkingv1.IngressClass) bool {
		return class.Annotations[networkingv1.AnnotationIsDefaultIngressClass] == "true"
	}), nil
}
