package main

import (
	"os"
	"testing"
	"time"
)

func TestGrowth(t *testing.T) {
	all := []quantity{
		{key: "a", title: "a", flat: atMost(1.5)}, {key: "b", title: "  b", timed: true, base: 1}, {key: "c", title: "c", last: true},
	}
	metrics := growthMetrics([growthSteps]string{"1", "2", "3"}, all)
	s := sample{"a/0": 2, "a/1": 9, "a/2": 3, "b/0": 1, "b/1": 4, "b/2": 2, "c/1": 1, "c/2": 2}
	addGrowth(s, all)
	if s["a/growth"] != 1.5 || s["b/growth"] != 0.5 || len(s) != len(metrics) {
		t.Errorf("%v", s)
	}
	for _, m := range metrics {
		if _, ok := s[m.key]; !ok {
			t.Errorf("nothing measures %+v", m)
		}
	}
	if got := metrics[7].title; got != "b, largest / middle in time" {
		t.Error(got)
	}
}

func TestGrowthPlaces(t *testing.T) {
	b := &bench{sizes: fullSizes}
	for i, length := range b.sizes.Images {
		stride := b.growthStride(i)
		for _, off := range b.growthPlaces(i, 0) {
			if off < 0 || off+readLength > length || off%stride+readLength > mib {
				t.Errorf("image %d: a read at %d is in a hole", i, off)
			}
		}
	}
}

// The kernel's clock of a process is that of all its threads.
func TestProcessCPU(t *testing.T) {
	before, err := processCPU(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for begin := time.Now(); time.Since(begin) < 20*time.Millisecond; {
	}
	after, err := processCPU(os.Getpid())
	if err != nil || after-before < 0.001 {
		t.Errorf("%v s, %v", after-before, err)
	}
	if _, err := processCPU(1 << 22); err == nil {
		t.Error("a process whose number is too high has a time")
	}
	if _, err := reapedCPU(os.Getpid()); err != nil {
		t.Error(err)
	}
	pids, err := family(os.Getpid())
	if err != nil || len(pids) == 0 || pids[0] != os.Getpid() {
		t.Errorf("%v, %v", pids, err)
	}
}
