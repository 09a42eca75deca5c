# `make rehearse` and `make test` need Go, make and git, and set up everything else themselves.
STACK ?= staging

CONTROL_PLANE := kube-apiserver kube-controller-manager kube-scheduler kubectl etcd kwok
TOOLCHAIN := $(addprefix .bin/,pulumi $(CONTROL_PLANE))
REHEARSAL := tests/rehearsal
MODULES := . sdks/fastly $(REHEARSAL)
TIMED := $(CURDIR)/tools/timed

.DEFAULT_GOAL := help
.PHONY: help rehearse sandbox test lint bench toolchain clean FORCE

help: ## Show what can be made
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

rehearse: .bin/rehearse toolchain ## Run the program of STACK on this machine, at no cost (RESUME=1: go on from the last time)
	@.bin/rehearse -stack $(STACK) $(if $(RESUME),-resume)

sandbox: .bin/rehearse toolchain ## The same, and keep everything running for kubectl, linode-cli, the Fastly and Pulumi CLIs
	@.bin/rehearse -stack $(STACK) $(if $(RESUME),-resume) -sandbox

test: toolchain ## Run all tests
	@for module in $(MODULES); do \
	  (cd $$module && $(TIMED) "go vet in $$module" go vet ./... && $(TIMED) "go test in $$module" go test ./...) || exit 1; \
	done

lint: .bin/golangci-lint ## Check format and style
	@for module in $(MODULES); do \
	  (cd $$module && $(TIMED) "golangci-lint in $$module" $(CURDIR)/.bin/golangci-lint run --config $(CURDIR)/.golangci.yml ./...) \
	    || exit 1; \
	done

bench: .bin/rehearse toolchain ## Measure what is promised about speed and size
	@cd $(REHEARSAL) && $(TIMED) benchmarks go test -run '^$$' -bench . -benchtime 1x . ./kubernetes

clean: ## Remove everything that was built or rehearsed
	rm -rf .bin .rehearsal

toolchain: $(TOOLCHAIN)

.bin/pulumi: tools/install tools/pulumi/go.mod
$(addprefix .bin/,$(CONTROL_PLANE)): tools/install tools/kubernetes/go.mod
.bin/golangci-lint: tools/install tools/lint/go.mod
$(TOOLCHAIN) .bin/golangci-lint:
	@tools/install $(@F)

# Go knows best what has changed.
.bin/rehearse: FORCE
	@$(TIMED) "building the rehearsal" go build -C $(REHEARSAL) -o $(CURDIR)/.bin/rehearse .
