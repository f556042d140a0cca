# Names commands; what they do is in scripts/, kernel-config/ and the Rust programs.

# The payload's target; x86_64-unknown-linux-gnu is the fallback (static glibc) where musl cannot be had.
TARGET ?= x86_64-unknown-linux-musl
export TARGET

# rust-toolchain.toml asks for the musl target, and rustup would try to fetch it on every call.
ifeq ($(TARGET),x86_64-unknown-linux-gnu)
export RUSTUP_TOOLCHAIN := $(shell sed -n 's/^channel = "\(.*\)"$$/\1/p' rust-toolchain.toml)
endif

.PHONY: all setup payload kernel image run test test-all check bench fuzz fresh clean

all: image

setup payload kernel image run:
	@scripts/steps $@

test: image
	@scripts/test

# Everything, also what takes hours: many power cuts, fuzzing, sanitizers, fresh machines.
test-all: image
	@scripts/test --all

check: setup
	@scripts/check

fresh:
	@scripts/fresh

bench: image
	cargo build --release --quiet --package mule --examples --target $(TARGET)
	RUSTFLAGS='-C target-cpu=core2 -C target-feature=+crt-static --cfg chacha20_backend="sse2"' cargo build --release --quiet --package mule \
		--example stream_speed --target $(TARGET) --target-dir target/bench-sse2
	scripts/bench
	scripts/bench-images

fuzz: payload
	scripts/fuzz

clean:
	cargo clean
	rm -rf build
