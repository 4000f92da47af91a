package commandline

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
)

const childVariable = "COMMANDLINE_TEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childVariable) != "" {
		args := Take("--user")
		seen, _ := os.ReadFile("/proc/self/cmdline")
		fmt.Printf("%s\n%q\n", strings.Join(args, " "), strings.Split(string(seen), "\x00")[1:])
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func TestMasked(t *testing.T) {
	for _, tt := range []struct{ args, want string }{
		{"mount http://h/d/ /mnt", "mount http://h/d/ /mnt"},
		{"--user a:b -f", "--user xxx -f"},
		{"--user=a:b --username=a", "--user=xxx --username=a"},
		{"--user", "--user"},
		{"--user --user", "--user xxxxxx"},
		{"-A h=a:b -Ah=c:d -qA h=e -q-A", "-A xxxxx -Axxxxx -qA xxx -q-A"},
		{"http://a:b@h/p@q?c=d#e", "http://xxx@h/p@q?xxxxx"},
		{"--mirror=https://a@h", "--mirror=https://x@h"},
		{"a@b ?x", "a@b ?x"},
		{"http://@h/", "http://@h/"},
	} {
		args := append([]string{"program"}, strings.Split(tt.args, " ")...)
		if got := strings.Join(masked(args, []string{"--user", "-A"})[1:], " "); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.args, got, tt.want)
		}
	}
}

// TestTake: the program has its arguments, others do not see the secrets.
func TestTake(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only on Linux")
	}
	cmd := exec.Command(os.Args[0], "--user", "me:pw", "http://me:pw@h/?pw")
	cmd.Env = append(os.Environ(), childVariable+"=1")
	out, err := cmd.CombinedOutput()
	want := "--user me:pw http://me:pw@h/?pw\n" + fmt.Sprintf("%q\n", []string{"--user", "xxxxx", "http://xxxxx@h/?xx", ""})
	if err != nil || string(out) != want {
		t.Errorf("got %s%v, want %s", out, err, want)
	}
}
