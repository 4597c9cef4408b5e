# make             builds build/nginx/ngx_http_enroll_module.so for Debian's
#                  own nginx
# make test        installs what is missing, builds, and runs all tests
# make test-asan   the same with an nginx that has sanitizers built in
# make mutants     whether the harness of make chaos would notice
# make lint        what a compiler and other readers have to say
# make chaos       lets things go wrong, as root: t/chaos/README.md
# make model       the ledger's model, within larger bounds than in the tests
# make demo        shows one enrollment, then serves; ONCE=1: then ends
# make clean
#
# TESTS=t/x.t chooses tests, JOBS=1 runs them one by one. Chaos takes
# TOPOLOGY=sentinel or cluster, SECONDS=60 and SEED=1.

JOBS      ?= $(shell nproc)
TESTS     ?= t
TOPOLOGY  ?= sentinel
SECONDS   ?= 60
SEED      ?= 1
AS_ROOT    = $(if $(filter 0,$(shell id -u)),,sudo)
NGINX      = /usr/share/nginx/src

UNIT       = $(patsubst t/%.c,build/%,$(wildcard t/unit/test_*.c))
CORE       = $(wildcard ngx_enroll_module/core/*.c)
CORE_O     = $(patsubst ngx_enroll_module/%.c,build/unit/%.o,$(CORE))
HEADERS    = $(wildcard ngx_enroll_module/core/*.h t/unit/*.h)

UNIT_FLAGS = -g -O1 -fsanitize=address,undefined -fno-sanitize-recover=all \
	     -fno-omit-frame-pointer -Wall -Wextra -Werror \
	     -Wno-unused-parameter -isystem $(NGINX)/src/core \
	     -isystem $(NGINX)/src/event \
	     -isystem $(NGINX)/src/os/unix -isystem build/nginx \
	     -I ngx_enroll_module/core -I t/unit
UNIT_LIBS  = -ljose -ljansson -lcbor -lcrypto

.PHONY: module unit deps deps-chaos test test-asan chaos lint model demo clean \
	mutants
.SECONDARY:
.NOTPARALLEL:

module:
	tools/build.sh build/nginx

unit: build/nginx/ngx_auto_config.h $(UNIT)

build/nginx/ngx_auto_config.h:
	tools/build.sh build/nginx configure

build/unit/core/%.o: ngx_enroll_module/core/%.c $(HEADERS)
	@mkdir -p $(@D)
	@echo CC $<
	@$(CC) $(UNIT_FLAGS) -c -o $@ $<

build/unit/test_%: t/unit/test_%.c $(CORE_O) $(HEADERS)
	@echo CC $<
	@$(CC) $(UNIT_FLAGS) -o $@ $< $(CORE_O) $(UNIT_LIBS)

deps:
	tools/deps.sh test

test: deps module unit
	prove -r -j $(JOBS) $(TESTS)

test-asan: deps module unit
	tools/asan.sh build/asan prove -r -j $(JOBS) $(TESTS)

deps-chaos:
	tools/deps.sh chaos

chaos: deps-chaos module
	$(AS_ROOT) t/chaos/run --topology $(TOPOLOGY) --seconds $(SECONDS) \
	--seed $(SEED) --module build/nginx/ngx_http_enroll_module.so

mutants: deps-chaos
	$(AS_ROOT) t/chaos/mutants/run

lint:
	tools/deps.sh lint
	tools/lint.sh

model:
	tools/deps.sh test
	ENROLL_MODEL=large prove -v t/model.t

demo: deps module
	ONCE=$(ONCE) demo/run.sh

clean:
	rm -rf build
