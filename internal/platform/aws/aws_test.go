package aws_test

import (
	"flag"
	"fmt"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/stereospot/stereospot/internal/platform"
	platformaws "github.com/stereospot/stereospot/internal/platform/aws"
	"github.com/stereospot/stereospot/internal/platform/aws/awstest"
	"github.com/stereospot/stereospot/internal/platform/platformtest"
)

// clock stands still but for what a test lets pass, so that no lease expires because the machine is busy.
type clock struct {
	begin  time.Time
	passed atomic.Int64
}

func (c *clock) now() time.Time { return c.begin.Add(time.Duration(c.passed.Load())) }

// advance lets time pass for the leases, which go by our clock, and for the queues, which go by the emulator's.
func (c *clock) advance(d time.Duration) {
	c.passed.Add(int64(d))
	time.Sleep(d)
}

// TestMain runs more tests at once than there are cores, because they mostly wait.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// visibility is what every queue hides a received message for: by the emulator's clock, so that it has to be longer than a
// busy machine takes to see that nothing comes.
const visibility = 10 * time.Second

// deploy makes a deployment of its own.
func deploy(t *testing.T, cfg aws.Config, name string) platformaws.Resources {
	t.Helper()
	r, err := awstest.Provision(t.Context(), cfg, name, visibility)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestConformance(t *testing.T) {
	cfg := awstest.Endpoints(t)
	var deployments atomic.Int64
	platformtest.Run(t, func(t *testing.T) platformtest.Fixture {
		r := deploy(t, cfg, fmt.Sprint(time.Now().UnixMilli(), "-", deployments.Add(1)))
		c := &clock{begin: time.Now()}
		r.Now = c.now
		return platformtest.Fixture{
			Platform:   platformaws.Connect(cfg, r),
			Again:      func(*testing.T) platform.Platform { return platformaws.Connect(cfg, r) },
			Advance:    c.advance,
			URL:        func(signed string) string { return signed },
			Visibility: visibility,
			Patience:   time.Minute,
			Settle:     time.Second, // SQS waits in whole seconds
			Slow:       true,
			Lenient:    true,
		}
	})
}
