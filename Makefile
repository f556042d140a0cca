# Names commands; what they do is in scripts/, kernel-config/ and the Rust programs.

# The payload's target; x86_64-unknown-linux-gnu is the fallback (static glibc) where musl cannot be had.
TARGET ?= x86_64-unknown-linux-musl
export TARGET

.PHONY: all setup payload kernel image run test check bench fuzz clean

all: image

setup:
	scripts/setup

payload: setup
	scripts/payload build/mule

kernel: setup
	kernel-config/build build/kernel

image: payload kernel
	scripts/notices build/notices.txt
	cargo run --quiet --package image-build -- \
		--kernel build/kernel/bzImage --kernel-version build/kernel/version --kernel-config build/kernel/config \
		--payload build/mule --notices build/notices.txt --out build

run: image
	cargo run --quiet --package qemu-tests -- run

test: image
	scripts/test

check: setup
	scripts/check

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
