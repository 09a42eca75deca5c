package main

import (
	"fmt"
	"strings"
)

// program is one of the tool-chain. Its texts take what differs from one version and one machine to the next: {version} (1.2.3),
// {major}, {minor}, {os}, {System}, which is the same with a capital, {arch}, {x64}, which is the processor under another name,
// and {archive}, a kind of archive.
type program struct {
	name, version string
	// module is the folder of tools/ whose go.mod pins the version, path the module there that has it, and command the package
	// below that which is built.
	module, path, command string
	// renumbered makes the version of a release of that of the module, where they differ.
	renumbered func(string) string
	// asks are the arguments that ask for the version, and answers is what has to be in the answer of one that is taken.
	asks, answers string
	// stamps are flags for the linker, and tags leave out what nobody here needs.
	stamps, tags string
	// static is linked with nothing: it runs in a container, where nothing else is.
	static bool
	// release is where the official release is, member the path of the program in it if that is an archive, and published the
	// file beside it in which its publisher lists digests, if any.
	release, member, published string
	// plugin is what Pulumi's engine calls a provider by. It is the official release, or none: a rehearsal has stand-ins.
	plugin bool
	// system is the only operating system that there are releases for; empty for all.
	system string
}

// programs are all of the tool-chain. A new version comes with a new go.mod below tools/; nothing here pins one.
var programs = []program{
	{
		name: "pulumi", module: "pulumi", path: "github.com/pulumi/pulumi/pkg/v3", command: "/cmd/pulumi",
		asks: "version", answers: "v{version}",
		// The Automation API refuses a CLI that does not know its version.
		stamps: "-X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v{version}",
		// The hosts of languages, which are beside it in the archive, are left there: the rehearsal runs the program itself.
		release: gitHub("pulumi/pulumi", "pulumi-v{version}-{os}-{x64}.tar.gz"), member: "pulumi/pulumi",
		published: "pulumi-{version}-checksums.txt",
	},
	kubernetes("kube-apiserver", "--version", "linux"),
	kubernetes("kube-controller-manager", "--version", "linux"),
	kubernetes("kube-scheduler", "--version", "linux"),
	kubernetes("kubectl", "version --client", ""),
	{
		name: "etcd", module: "kubernetes", path: "go.etcd.io/etcd/server/v3",
		asks: "--version", answers: "Version: {major}.{minor}.",
		release: gitHub("etcd-io/etcd", "etcd-v{version}-{os}-{arch}.{archive}"), member: "etcd-v{version}-{os}-{arch}/etcd",
		published: "SHA256SUMS",
	},
	{
		name: "kwok", module: "kubernetes", path: "sigs.k8s.io/kwok", command: "/cmd/kwok",
		asks: "--version", answers: "v{version}",
		release: gitHub("kubernetes-sigs/kwok", "kwok-{os}-{arch}"),
	},
	onMachines(kubernetes("kubelet", "--version", "linux")),
	onMachines(kubernetes("kube-proxy", "--version", "linux")),
	onMachines(containerd("containerd")),
	onMachines(containerd("containerd-shim-runc-v2")),
	onMachines(containerd("ctr")),
	onMachines(network("ptp", "main")),
	onMachines(network("loopback", "main")),
	onMachines(network("host-local", "ipam")),
	onMachines(network("portmap", "meta")),
	onMachines(program{
		// Its release, an archive, is not used.
		name: "traefik", module: "traefik", path: "github.com/traefik/traefik/v3", command: "/cmd/traefik", static: true,
		stamps: "-X github.com/traefik/traefik/v3/pkg/version.Version={version}",
	}),
	onMachines(program{
		name: "versitygw", module: "versitygw", path: "github.com/versity/versitygw", command: "/cmd/versitygw",
		stamps: "-X main.Version=v{version}",
	}),
	{
		name: "golangci-lint", module: "lint", path: "github.com/golangci/golangci-lint/v2", command: "/cmd/golangci-lint",
		asks: "version --short", answers: "{version}",
		release:   gitHub("golangci/golangci-lint", "golangci-lint-{version}-{os}-{arch}.tar.gz"),
		member:    "golangci-lint-{version}-{os}-{arch}/golangci-lint",
		published: "golangci-lint-{version}-checksums.txt",
	},
	{
		name: "promtool", module: "prometheus", path: "github.com/prometheus/prometheus", command: "/cmd/promtool",
		renumbered: ofPrometheus,
		asks:       "--version", answers: "version {version} ",
		stamps: "-X github.com/prometheus/common/version.Version={version}",
		// Rules are tested without the clients of all clouds that Prometheus can find targets in.
		tags:    "remove_all_sd",
		release: gitHub("prometheus/prometheus", "prometheus-{version}.{os}-{arch}.tar.gz"),
		member:  "prometheus-{version}.{os}-{arch}/promtool", published: "sha256sums.txt",
	},
	{
		name: "actionlint", module: "actionlint", path: "github.com/rhysd/actionlint", command: "/cmd/actionlint",
		asks: "-version", answers: "{version}",
		stamps:  "-X github.com/rhysd/actionlint.version={version}",
		release: gitHub("rhysd/actionlint", "actionlint_{version}_{os}_{arch}.tar.gz"), member: "actionlint",
		published: "actionlint_{version}_checksums.txt",
	},
	{
		name: "gotestsum", module: "gotestsum", path: "gotest.tools/gotestsum",
		asks: "--version", answers: "version v{version}",
		release: gitHub("gotestyourself/gotestsum", "gotestsum_{version}_{os}_{arch}.tar.gz"), member: "gotestsum",
		published: "gotestsum-{version}-checksums.txt",
	},
	{
		name: "k9s", module: "k9s", path: "github.com/derailed/k9s",
		asks: "version --short", answers: "v{version}",
		stamps:  "-X github.com/derailed/k9s/cmd.version=v{version}",
		release: gitHub("derailed/k9s", "k9s_{System}_{arch}.tar.gz"), member: "k9s", published: "checksums.sha256",
	},
	plugin("linode", "v4"),
	plugin("fastly", "v8"),
	plugin("kubernetes", "v4"),
}

// plugin is a provider's, in the version of the SDK that the program uses and in the folder that the engine looks for it in.
func plugin(name, major string) program {
	const file = "pulumi-resource-"
	return program{
		name: "plugins/resource-" + name + "-v{version}/" + file + name, plugin: true,
		module: "..", path: "github.com/pulumi/pulumi-" + name + "/sdk/" + major,
		release: gitHub("pulumi/pulumi-"+name, file+name+"-v{version}-{os}-{arch}.tar.gz"), member: file + name,
	}
}

// kubernetes is a program of Kubernetes. One of another patch release on PATH does as well.
func kubernetes(name, asks, system string) program {
	const stamp = "-X k8s.io/component-base/version."
	return program{
		name: name, module: "kubernetes", path: "k8s.io/kubernetes", command: "/cmd/" + name,
		asks: asks, answers: "v{major}.{minor}.",
		// Charts ask the API server for its version.
		stamps:  stamp + "gitVersion=v{version} " + stamp + "gitMajor={major} " + stamp + "gitMinor={minor}",
		release: "https://dl.k8s.io/release/v{version}/bin/{os}/{arch}/" + name, published: name + ".sha256", system: system,
	}
}

// containerd is a program of containerd, without file systems that no machine here has. Its release, an archive of all of them,
// is not used.
func containerd(name string) program {
	return program{
		name: name, module: "containerd", path: "github.com/containerd/containerd/v2", command: "/cmd/" + name,
		stamps: "-X github.com/containerd/containerd/v2/version.Version=v{version}", tags: "no_btrfs no_devmapper no_zfs",
	}
}

// network is a plugin that gives pods their network. Its release, an archive too, is not used.
func network(name, kind string) program {
	return program{
		name: name, module: "containerd", path: "github.com/containernetworking/plugins",
		command: "/plugins/" + kind + "/" + name,
	}
}

// onMachines has a program where only the machines of a live rehearsal look for it. One on PATH may be meant for this computer,
// as containerd is, and is not taken.
func onMachines(p program) program {
	p.name = "live/" + p.name
	return p
}

// gitHub is the address of a file of a release.
func gitHub(repository, file string) string {
	return "https://github.com/" + repository + "/releases/download/v{version}/" + file
}

// ofPrometheus makes 3.14.0 of 0.314.0, which is how the module of that release is numbered.
func ofPrometheus(module string) string {
	var minor, patch int
	if _, err := fmt.Sscanf(module, "0.%d.%d", &minor, &patch); err != nil {
		return module
	}
	return fmt.Sprintf("%d.%d.%d", minor/100, minor%100, patch)
}

// at is the program at the version of its module, for an operating system and a processor.
func (p program) at(version, system, processor string) program {
	version = strings.TrimPrefix(version, "v")
	if p.renumbered != nil {
		version = p.renumbered(version)
	}
	major, rest, _ := strings.Cut(version, ".")
	minor, _, _ := strings.Cut(rest, ".")
	archive := "tar.gz"
	if system == "darwin" {
		archive = "zip"
	}
	fill := strings.NewReplacer("{version}", version, "{major}", major, "{minor}", minor, "{os}", system, "{arch}", processor,
		"{System}", strings.ToUpper(system[:1])+system[1:],
		"{x64}", strings.Replace(processor, "amd64", "x64", 1), "{archive}", archive)
	for _, text := range []*string{&p.name, &p.answers, &p.stamps, &p.release, &p.member, &p.published} {
		*text = fill.Replace(*text)
	}
	if p.system != "" && p.system != system {
		p.release = ""
	}
	p.version = version
	return p
}
