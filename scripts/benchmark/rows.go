package main

import (
	"slices"
	"strings"
)

var (
	peers        = []*tool{zsyncfs, httpfs2, nbdkit, rclone, rcloneFull}
	peersAndCurl = []*tool{zsyncfs, httpfs2, nbdkit, rclone, rcloneFull, curl}
	plainPeers   = []*tool{zsyncfs, httpfs2, nbdkit, rclone}
)

// rows is the table of everything that is measured, in order.
var rows = slices.Concat(mountRows, warmRows, patternRows, versionRows, packedRows, deltaRows, zsyncRows, growthRows)

// mountRows are the rows of the mount.
var mountRows = []row{
	{
		name: "first-byte.loopback", title: "time to the first 4 KiB of a large sparse image",
		tools: peers, files: []string{sparseName}, measure: firstByte(direct), metrics: firstByteMetrics(atMost(30)),
	},
	{
		name: "sequential.loopback", title: "cold sequential reading",
		tools: append(slices.Clip(peersAndCurl), bareFUSE), files: []string{bulkName}, measure: sequential(direct, bulkName),
		metrics: sequentialMetrics(ofLimit(0.45)),
		bound: "serving and receiving (curl, which throws the bytes away) keep the CPUs busy, and so does answering the kernel " +
			"(bare FUSE, which has the file in memory); one after the other they leave 1 / (1 / curl + 1 / bare FUSE), " +
			"with nothing checked and nothing written to a block store, as httpfs2 works",
	},
	{
		name: "random.loopback", title: "cold random reads of 4 KiB, kernel readahead off",
		tools: plainPeers, files: []string{bulkName}, measure: random(direct, false), metrics: randomMetrics(nil, atMost(4)),
	},
	{
		name: "random.readahead", title: "cold random reads of 4 KiB, kernel readahead on",
		tools: plainPeers, files: []string{bulkName}, measure: random(direct, true), metrics: randomMetrics(nil, nil),
	},
	{
		name: "memory", title: "memory of the daemon: large sparse image open, reads at random, then a fifth of it in order",
		tools: peers, files: []string{sparseName}, measure: memoryOfDaemon, metrics: memoryMetrics,
	},
	{
		name: "line.first-byte", title: "time to the first 4 KiB of a large sparse image, on the line",
		tools: peersAndCurl, files: []string{sparseName}, measure: firstByte(overLine), metrics: firstByteLineMetrics,
		often: 3, // it is over in 0.1 s, of which 5 ms are between it and the goal
		bound: "four round trips, one after the other: the connection, the listing, the control file and the bytes, for which " +
			"curl asks in one program; a mount takes two more programs to start, the command and its daemon, and how long that " +
			"takes follows the clock of the CPUs and what else their host does",
	},
	{
		name: "line.sequential", title: "cold sequential reading, on the line",
		tools: peersAndCurl, files: []string{lineName}, measure: sequential(overLine, lineName),
		metrics: sequentialMetrics(atLeast(0.95 * lineRate / 1e6)),
	},
	{
		name: "line.random", title: "cold random reads of 4 KiB, kernel readahead off, on the line",
		tools: []*tool{zsyncfs, httpfs2, nbdkit}, files: []string{bulkName}, measure: random(overLine, false),
		metrics: randomMetrics(atLeast(43), atMost(4)),
	},
	{
		name: "slow-line.made", title: "the last 64 KiB of an image, cold, on the slow line; control file of zsyncfs make",
		tools: peers, files: []string{slowMade}, measure: endOnSlowLine(slowMade), metrics: slowMetrics,
	},
	{
		name: "slow-line.zsyncmake", title: "the last 64 KiB of an image, cold, on the slow line; control file of Debian's zsyncmake",
		tools: []*tool{zsyncfs}, files: []string{slowZsyncmake}, needs: []*tool{debianZsyncmake},
		measure: endOnSlowLine(slowZsyncmake), metrics: slowMetrics,
	},
	{
		name: "list", title: "ls -l of a folder with many artifacts",
		tools: []*tool{zsyncfs, rclone}, files: []string{artifacts}, measure: listArtifacts, metrics: listMetrics,
	},
}

// selectRows returns the rows whose names begin with prefix and, when groups
// are given, are in one of these: "delta" has "delta" and "delta.tar", and not
// "delta-time".
func selectRows(prefix string, groups ...string) []row {
	var out []row
	for _, r := range rows {
		in := func(group string) bool { return strings.HasPrefix(r.name+".", group+".") }
		if strings.HasPrefix(r.name, prefix) && (len(groups) == 0 || slices.ContainsFunc(groups, in)) {
			out = append(out, r)
		}
	}
	return out
}

// neededFiles are the files that some rows read, without rows that are left out.
func (b *bench) neededFiles(chosen []row) map[string]bool {
	need := map[string]bool{}
	for _, r := range chosen {
		if b.missing(r) != "" {
			continue
		}
		for _, f := range r.files {
			need[f] = true
		}
	}
	return need
}
