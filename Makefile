# `make rehearse` and `make test` need Go, make and git, and set up everything else themselves. What works on the real cloud
# (preview, up, heal, release, bypass, drift, destroy) needs the Pulumi CLI too.
STACK ?= staging
# How often, and from which seed of chance on, `make chaos` disturbs.
COUNT ?= 10
SEED ?= 1
# What charts render is compared with what they did at this commit.
BASE ?= origin/main

# What somebody gives is data: make expands nothing that stands in it. An image may come from far: recipes take it from their
# environment, where no quote in it ends theirs. (Make 4.4 would expand it for each $(shell), so this stands first.)
$(foreach given,STACK APP IMAGE REHEARSE_IMAGES NODE FASTLY_ACCOUNT COUNT SEED BASE RATE FOR VISITORS NAME RUNS,$(eval override $(given) := $$(value $(given))))
export IMAGE REHEARSE_IMAGES
$(foreach name,STACK APP NODE FASTLY_ACCOUNT COUNT SEED BASE RATE FOR VISITORS NAME RUNS,\
  $(if $(findstring ',$($(name)))$(word 2,$($(name))),$(error $(name) is a name: it has no quote and no blank in it)))

CONTROL_PLANE := $(addprefix .bin/,kube-apiserver kube-controller-manager kube-scheduler etcd kwok)
# What a rehearsal runs.
TOOLCHAIN := .bin/pulumi $(CONTROL_PLANE)
# What the machines of a live rehearsal run: programs of others, and our own.
MACHINES := $(addprefix .bin/live/,kubelet kube-proxy containerd containerd-shim-runc-v2 ctr ptp loopback host-local portmap)
ON_MACHINES := $(MACHINES) $(addprefix .bin/live/,node played certsync coredns versitygw) images
# What is made into images for them: programs of others, and the test app.
IMAGED := .bin/live/traefik
# What is made of packages of the computer's distribution: a database, what keeps it alive, and what they call.
DATABASE := lke-platform.rehearsal/postgres:latest=apt:postgresql,patroni,pgbouncer,dash,coreutils,grep,libc-bin
CHECKERS := $(addprefix .bin/,golangci-lint promtool actionlint gotestsum)
REHEARSAL := tests/rehearsal
MODULES := . sdks/fastly $(REHEARSAL)
TIMED := $(CURDIR)/tools/timed
GOTESTSUM := $(CURDIR)/.bin/gotestsum --format pkgname --
FETCH_CHARTS = $(TIMED) charts go run ./cmd/charts $(if $(CI),-frozen)
# What lays the graph out keeps the code that it compiled among temporary files, under a name that others could take in /tmp.
REHEARSE = TMPDIR='$(CURDIR)/.bin' .bin/rehearse
# What a rehearsal is asked for beside the stack.
REHEARSED = -plugins .bin/plugins $(if $(V),-v) $(if $(RESUME),-resume) $(if $(FASTLY_ACCOUNT),-fastly-account '$(FASTLY_ACCOUNT)') \
  $(if $(LIVE),-live)

.DEFAULT_GOAL := help
.PHONY: help rehearse sandbox visit incident charts rendered preview up heal records release alert-test bypass drift status top heal-node destroy program pulumi-cli charts-if-had images \
	test chaos lint bench toolchain plugins releases clean FORCE

# Fastly may be down while a stack leads past it, so nothing of it is looked at or changed then.
WITHOUT_FASTLY := --exclude '**fastly:index/**'
# Whether a zone of the stack is at another DNS provider.
EXTERNAL := $(shell grep -Eqs '^[^#]*[ {]external: *true' 'Pulumi.$(STACK).yaml' && echo yes)
BYPASSED := $(shell grep -Eqs '^[^#]*[ {]bypass: *true' 'Pulumi.$(STACK).yaml' && echo '$(WITHOUT_FASTLY)')
# What is asked of Pulumi for the real cloud. What was done there by hand counts, so the cloud is looked at first; and the program
# runs for that, since the state only knows the credentials of the last time.
LOOKED_AT := --stack '$(STACK)' --refresh --run-program
CLOUD := $(LOOKED_AT) $(BYPASSED)
# Whole differences of what the program says, and of nothing that the cloud merely notes (a status, for instance).
REPORT := --diff --suppress-outputs --non-interactive --suppress-progress

help: ## Show what can be made
	@awk -F ':.*## ' '/^## /{ print "\n" substr($$0, 4) } /^[a-z-]+:.*## / { printf "  %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

## On this machine, with no account

rehearse: toolchain plugins .bin/certsync .bin/rehearse charts-if-had $(if $(LIVE),$(ON_MACHINES)) ## Run the program of STACK on this machine, at no cost (RESUME=1: go on from the last time; LIVE=1: run its containers; V=1: show every line; FASTLY_ACCOUNT=new or trial)
	@$(REHEARSE) -stack $(STACK) $(REHEARSED)

sandbox: toolchain plugins .bin/kubectl .bin/certsync .bin/rehearse charts-if-had $(if $(LIVE),$(ON_MACHINES)) ## The same, and keep everything running for kubectl, linode-cli, the Fastly and Pulumi CLIs
	@$(REHEARSE) -stack $(STACK) $(REHEARSED) -sandbox

visit: .bin/visit ## Visit a live sandbox (RATE=10 a second of each sort, FOR=30s, VISITORS=known,reading), and tell what visitors noticed
	@if [ -f .rehearsal/sandbox.env ]; then . .rehearsal/sandbox.env; fi; \
	  .bin/visit -rate '$(or $(RATE),10)' -for '$(or $(FOR),30s)' -as '$(VISITORS)'

images: $(IMAGED) .bin/live/app .bin/images/postgres ## Make the images that a live rehearsal has at hand by itself, in .bin/images: Traefik, PostgreSQL and a test app
	@traefik=$$(cd tools/traefik && go list -m -f '{{.Version}}' github.com/traefik/traefik/v3) && \
	  go run -C $(REHEARSAL) ./images '$(CURDIR)/.bin/images' "docker.io/library/traefik:$$traefik=$(CURDIR)/.bin/live/traefik" \
	  'lke-platform.rehearsal/app:latest=$(CURDIR)/.bin/live/app'

# Where its packages cannot be had, it is asked for again the next time, and played.
.bin/images/postgres:
	@$(TIMED) 'image of PostgreSQL' go run -C $(REHEARSAL) ./images '$(CURDIR)/.bin/images' '$(DATABASE)' || \
	  echo 'images: without it no database runs in live rehearsals'

incident: .bin/incident ## Bring a live sandbox into trouble (NAME=node-lost, RUNS=5; NAME=all), and measure what visitors notice
	@if [ -f .rehearsal/sandbox.env ]; then . .rehearsal/sandbox.env; fi; \
	  .bin/incident -name '$(NAME)' -runs '$(or $(RUNS),1)' -rate '$(or $(RATE),10)' $(if $(VISITORS),-as '$(VISITORS)') $(if $(FOR),-for '$(FOR)')

charts: ## Have the charts at hand that are pinned, in .charts (CI=1: record no digest)
	@$(FETCH_CHARTS)

# Rehearsals and tests do without what is missing, and say so. They record no digest: that is reviewed.
charts-if-had:
	@$(TIMED) charts go run ./cmd/charts -frozen 2>/dev/null || echo 'charts: not all are at hand as pinned (make charts says why); rehearsals play what is missing'

rendered: charts-if-had ## Show what the charts of STACK render otherwise than at BASE, a commit
	@$(TIMED) 'what the charts render' tools/rendered '$(STACK)' '$(BASE)'

## On the real cloud, of STACK

preview: pulumi-cli charts program ## Show what up would do to STACK
	@go run ./cmd/report preview -stack '$(STACK)' -to '.reports/$(STACK)-preview.md' -- $(CLOUD) $(REPORT)

up: pulumi-cli charts program ## Make the cloud what the program says for STACK (asks first, but not in CI)
	@pulumi up $(CLOUD) $(if $(CI),--yes --non-interactive)
	@$(if $(EXTERNAL),go run ./cmd/records -stack '$(STACK)' || true) # whoever has to set them may not be here

heal: pulumi-cli charts program ## Take in what a killed run of STACK was making (after: pulumi cancel; docs/interrupted.md)
	@go run ./cmd/heal -stack '$(STACK)' $(if $(CI),-yes) -- $(BYPASSED)

records: pulumi-cli ## Tell which records of STACK to set at other DNS providers, and fail unless public DNS has them
	@go run ./cmd/records -stack '$(STACK)'

release: pulumi-cli charts program ## Bring IMAGE (name@sha256:…) of the app, or of APP, to STACK, and take it back if it does not do well
	@go run ./cmd/release -stack '$(STACK)' $(if $(APP),-app '$(APP)') -image "$$IMAGE" $(if $(CI),-push) -- $(CLOUD)

alert-test: pulumi-cli ## Send an alert of each severity to every receiver of STACK, say what each answers, and end them
	@go run ./cmd/alerts -stack '$(STACK)'

bypass: pulumi-cli charts program ## Lead the visitors of STACK past Fastly, and ask nothing of Fastly (docs/bypass.md)
	@tools/bypass '$(STACK)' $(WITHOUT_FASTLY)

drift: pulumi-cli charts program ## Tell where the cloud, the state and the program of STACK differ, and fail if they do
	@go run ./cmd/report drift -stack '$(STACK)' -to '.reports/$(STACK)-drift.md' -- --stack '$(STACK)' $(BYPASSED) $(REPORT)

status: .bin/status ## Tell in five seconds how STACK is, one line for each part, and fail where something is wrong (JSON=1; docs/status.md)
	@PATH="$$PATH:$(CURDIR)/.bin" .bin/status -stack '$(STACK)' $(if $(JSON),-json)

top: .bin/k9s .bin/kubectl .bin/status ## Open k9s on the cluster of STACK, with views and shortcuts made for it (the first time it is built)
	@PATH="$$PATH:$(CURDIR)/.bin" tools/top '$(STACK)' '$(CURDIR)/.bin/k9s' '$(CURDIR)/.bin/status'

heal-node: ## Give up NODE of STACK, which is dead and was not replaced: what hangs on it starts elsewhere
	@tools/heal-node '$(STACK)' '$(NODE)'

# The program runs, as it knows what has to happen before nodes are deleted.
destroy: pulumi-cli charts program ## Delete everything of STACK, once its name is typed, and tell what stays (EMPTY=1: full buckets too; UNREACHABLE=1: a cluster that does not answer)
	@go run ./cmd/destroy -stack '$(STACK)' $(if $(EMPTY),-empty) $(if $(UNREACHABLE),-unreachable) -- $(LOOKED_AT)

# Pulumi builds the program each time, in silence. With all packages compiled it has no more to do than to link them.
program:
	@$(TIMED) "compiling the program" go build ./stacks

# The CLI in .bin has nothing beside it that runs Go programs; an official installation has, and installs the providers' plugins.
pulumi-cli:
	@case $$(command -v pulumi) in "" | "$(CURDIR)/.bin/pulumi") \
	  echo 'There is no Pulumi CLI on PATH (.bin/pulumi serves rehearsals only): https://www.pulumi.com/docs/install/' >&2; \
	  exit 1 ;; \
	esac

## Work on it

# Each module ends with what was skipped in it, and why: nobody has to take for tested what could not be tried here.
test: toolchain .bin/certsync .bin/kubectl .bin/promtool .bin/actionlint .bin/gotestsum .bin/live/versitygw charts-if-had ## Run all tests, and name those that could not run
	@.bin/actionlint -shellcheck= -pyflakes= .github/workflows/*.yml
	@for module in $(MODULES); do \
	  (cd $$module && $(TIMED) "go vet in $$module" go vet ./... && $(TIMED) "go test in $$module" $(GOTESTSUM) -timeout 45m ./...) || exit 1; \
	done

chaos: toolchain .bin/certsync .bin/kubectl charts-if-had ## Disturb a rehearsal of STACK at COUNT random moments (SEED=1), have each call fail, and see it converge
	@cd $(REHEARSAL) && CHAOS_STACK='$(STACK)' CHAOS_MOMENTS='$(COUNT)' CHAOS_SEED='$(SEED)' CHAOS_WAYS=6 \
	  go test . -count=1 -timeout 6h -v -run '^(TestWhatIsDisturbedConverges|TestEveryCallMayFail)$$'

lint: .bin/golangci-lint ## Check format and style
	@for module in $(MODULES); do \
	  (cd $$module && $(TIMED) "golangci-lint in $$module" $(CURDIR)/.bin/golangci-lint run --config $(CURDIR)/.golangci.yml ./...) \
	    || exit 1; \
	done

bench: toolchain .bin/certsync .bin/rehearse ## Measure what is promised about speed and size
	@go test -run '^$$' -bench . ./cmd/report
	@cd $(REHEARSAL) && $(TIMED) benchmarks go test -run '^$$' -bench . -benchtime 1x . ./kubernetes ./report

clean: ## Remove everything that was built or rehearsed
	@[ ! -x .bin/rehearse ] || .bin/rehearse -clean # not under a rehearsal that runs
	rm -rf .bin .rehearsal .reports

toolchain: $(TOOLCHAIN)

# Rehearsals do without those that cannot be had. They are asked for again where a version, or a digest, is new.
plugins: .bin/plugins/.asked
.bin/plugins/.asked: go.mod tools/releases.sum
	@$(TIMED) 'plugins of the providers' go run ./cmd/toolchain -plugins
	@touch $@

.bin/pulumi: tools/pulumi/go.mod
$(CONTROL_PLANE) .bin/kubectl: tools/kubernetes/go.mod
.bin/golangci-lint: tools/lint/go.mod
.bin/promtool: tools/prometheus/go.mod
.bin/actionlint: tools/actionlint/go.mod
.bin/gotestsum: tools/gotestsum/go.mod
.bin/k9s: tools/k9s/go.mod
$(filter .bin/live/kube%,$(MACHINES)): tools/kubernetes/go.mod
$(filter-out .bin/live/kube%,$(MACHINES)): tools/containerd/go.mod
.bin/live/traefik: tools/traefik/go.mod
.bin/live/versitygw: tools/versitygw/go.mod
$(TOOLCHAIN) .bin/kubectl .bin/k9s $(CHECKERS) $(MACHINES) $(IMAGED) .bin/live/versitygw: cmd/toolchain/programs.go
	@$(TIMED) 'tool-chain: $(@F)' go run ./cmd/toolchain $(@:.bin/%=%)

releases: ## Record the digests of the tool-chain's official releases, where a version is new
	@$(TIMED) releases go run ./cmd/toolchain -record

# Programs on PATH get upgraded and removed, so those that .bin only wraps are looked at anew each time. Only a wrapper is so small.
$(shell find .bin -type f -size -8 2>/dev/null): FORCE

# Go knows best what has changed.
.bin/rehearse: FORCE
	@$(TIMED) "building the rehearsal" go build -C $(REHEARSAL) -ldflags "-s -w" -o $(CURDIR)/.bin/rehearse .

# In their containers and machines is nothing that they could be linked with.
.bin/live/node .bin/live/played .bin/live/app: FORCE
	@$(TIMED) "building $(@F)" env CGO_ENABLED=0 go build -C $(REHEARSAL) -o $(CURDIR)/$@ ./live/$(@F)

.bin/live/certsync: FORCE
	@$(TIMED) "building $(@F) for a container" env CGO_ENABLED=0 go build -o $@ ./cmd/certsync

.bin/live/coredns: $(wildcard tools/coredns/*)
	@$(TIMED) "building $(@F)" env CGO_ENABLED=0 go build -C $(<D) -ldflags "-s -w" -o $(CURDIR)/$@ .

.bin/visit .bin/incident: FORCE
	@$(TIMED) "building $(@F)" go build -C $(REHEARSAL) -o $(CURDIR)/$@ ./$(@F)

.bin/certsync .bin/status: FORCE
	@$(TIMED) "building $(@F)" go build -o $@ ./cmd/$(@F)
