package monitoring

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"strings"

	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"lke-platform/components/internal/check"
	"lke-platform/components/internal/kube"
	"lke-platform/components/monitoring/dashboards"
)

const (
	// folderAnnotation names the folder of Grafana's that the dashboards of a ConfigMap are in.
	folderAnnotation = "grafana_folder"
	// platformFolder has the platform's own, and ownFolder the user's.
	platformFolder, ownFolder = "Platform", "Own"

	// homeDir and homeFile are where Grafana finds the page that it shows first.
	homeDir, homeFile = "/etc/grafana-home", "home.json"

	// logsUID is what dashboards know the data source of logs by.
	logsUID = "loki"

	// largestDashboard is in bytes: a ConfigMap takes a mebibyte.
	largestDashboard = 1_000_000
)

// dashboardFile is what names a ConfigMap, and a file that Grafana takes for a dashboard.
var dashboardFile = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]*[a-z0-9])?)\.json$`)

func (a *Args) validateDashboards(list *field.Path) field.ErrorList {
	var faults field.ErrorList
	files, uids := sets.New[string](), sets.New[string]()
	for i, file := range a.Dashboards {
		at := list.Index(i)
		uid, err := a.checkDashboard(file)
		switch {
		case err != nil:
			faults = append(faults, field.Invalid(at, file, err.Error()))
		case uid != "":
			faults = append(faults, check.Unique(uids, at, uid)...)
		}
		faults = append(faults, check.Unique(files, at, path.Base(file))...)
	}
	return faults
}

// checkDashboard returns the uid of a dashboard of the user's own.
func (a *Args) checkDashboard(file string) (uid string, err error) {
	if !dashboardFile.MatchString(path.Base(file)) {
		return "", errors.New("must be called by lower-case letters, digits and dashes, and .json")
	}
	text, err := check.File(a.Folder, file)
	switch {
	case err != nil:
		return "", err
	case len(text) > largestDashboard:
		return "", fmt.Errorf("the file is larger than %d bytes, which is what fits into a ConfigMap", largestDashboard)
	}
	return dashboards.Check(text)
}

// newDashboards declares what Grafana shows. It returns the home page, which Grafana reads when it starts: immutable and named by
// the engine, so that another one rolls Grafana.
func (s *Stack) newDashboards(ctx *pulumi.Context, name string, args *Args) (*corev1.ConfigMap, error) {
	if args.LogsURL != "" {
		args.Platform.Logs = logsUID
	}
	if args.Alerts.Pages != defaultPages {
		args.Platform.AlertPages = strings.TrimSuffix(args.Alerts.Pages, "/") + "/README.md"
	}
	home, stations, err := args.Platform.Make()
	if err != nil {
		return nil, err
	}
	for _, station := range stations {
		if err := s.newDashboard(ctx, name, platformFolder, station.UID, station.JSON); err != nil {
			return nil, err
		}
	}
	for _, file := range args.Dashboards {
		text, err := check.File(args.Folder, file)
		if err != nil {
			return nil, err
		}
		own := "own-" + dashboardFile.FindStringSubmatch(path.Base(file))[1]
		if err := s.newDashboard(ctx, name, ownFolder, own, text); err != nil {
			return nil, err
		}
	}
	return corev1.NewConfigMap(ctx, name+"-home", &corev1.ConfigMapArgs{
		Metadata:  metav1.ObjectMetaArgs{Namespace: s.Namespace, Labels: kube.Labels("grafana", "dashboards")},
		Immutable: pulumi.Bool(true),
		Data:      pulumi.StringMap{homeFile: pulumi.String(home.JSON)},
	}, pulumi.Parent(s))
}

// newDashboard declares one that Grafana's sidecar brings.
func (s *Stack) newDashboard(ctx *pulumi.Context, name, folder, object, text string) error {
	labels := kube.Labels("grafana", "dashboards")
	labels["grafana_dashboard"] = pulumi.String("1")
	_, err := corev1.NewConfigMap(ctx, name+"-"+object, &corev1.ConfigMapArgs{
		Metadata: metav1.ObjectMetaArgs{
			Name: pulumi.String("grafana-" + object), Namespace: s.Namespace, Labels: labels,
			Annotations: pulumi.StringMap{folderAnnotation: pulumi.String(folder)},
		},
		Data: pulumi.StringMap{object + ".json": pulumi.String(text)},
	}, pulumi.Parent(s))
	return err
}
