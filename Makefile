# SPDX-License-Identifier: Apache-2.0
# Every target installs what it needs first (Debian packages by apt-get, npm packages by npm ci).
SECONDS ?= 60
PREFIX ?= /usr/local
BUILD := build
.PHONY: demo test test-long build bench fuzz screenshots tidy clean install

demo:
	@tools/demo.sh

test:
	@tools/test.sh

test-long:
	@tools/test.sh long

build:
	@tools/build.sh release

bench: build
	@tools/bench.sh

fuzz:
	@tools/fuzz.sh $(SECONDS)

screenshots: build
	@tools/screenshots.sh

tidy:
	@tools/tidy.sh

install: build
	cmake --install $(BUILD) --prefix $(PREFIX)

clean:
	rm -rf build build-*
