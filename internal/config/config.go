// Package config holds what each role of StereoSpot is told by flags and environment variables: one struct per role,
// whose Check lists every problem at once. The tags are kong's.
package config

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Data says where a machine's roles keep what they share.
type Data struct {
	DataDir string `help:"Directory for films, results and the database; the roles of one machine share it. Default: $XDG_DATA_HOME/stereospot." env:"STEREOSPOT_DATA_DIR" type:"path" placeholder:"DIR" aws:"unused"`
	MinFree Size   `help:"Take no work on while the disk of the data directory (on AWS: of --scratch-dir) has less room than this." env:"STEREOSPOT_MIN_FREE" default:"2GiB" placeholder:"SIZE"`
}

func (d *Data) check(on Place, bad func(string, ...any)) {
	if d.DataDir == "" && on == Here {
		if d.DataDir = DefaultDataDir(); d.DataDir == "" {
			bad("there is no home directory to keep data in: name one with --data-dir")
		}
	}
	if d.MinFree < 0 {
		bad("--min-free is %v: use a size such as 2GiB, or 0", d.MinFree)
	}
}

// DefaultDataDir follows the XDG base directory specification; it is empty where there is no home directory.
func DefaultDataDir() string {
	if dir := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "stereospot")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return ""
	}
	return filepath.Join(home, ".local", "share", "stereospot")
}

// Log says how the log is written.
type Log struct {
	LogFormat string `help:"Form of the log: ${enum}; auto is json on AWS, else text." env:"STEREOSPOT_LOG_FORMAT" enum:"auto,text,json" default:"auto"`
	LogLevel  string `help:"Least level that is logged: ${enum}." env:"STEREOSPOT_LOG_LEVEL" enum:"debug,info,warn,error" default:"info"`
}

func (l *Log) check(on Place, _ func(string, ...any)) {
	if l.LogFormat == "auto" && on == OnAWS {
		l.LogFormat = "json"
	}
}

// Level returns the level as slog knows it.
func (l Log) Level() slog.Level {
	var level slog.Level
	_ = level.UnmarshalText([]byte(l.LogLevel)) // the flag's values are its names
	return level
}

// Pace says how quickly a dead process's work is taken over. Short times cost queries; 0 takes what fits the platform.
type Pace struct {
	Visibility time.Duration `help:"How long a message whose worker died stays out of sight; 0 on AWS: as the queue says." env:"STEREOSPOT_VISIBILITY" default:"0" hidden:""`
	Lease      time.Duration `help:"How long a dead process's lease lasts. 0 = fit to the platform." env:"STEREOSPOT_LEASE" default:"0" hidden:""`
	Pulse      time.Duration `help:"Time between progress reports, and how late work learns that its job was cancelled. 0 = fit to the platform." env:"STEREOSPOT_PULSE" default:"0" hidden:""`
	Gather     time.Duration `help:"How long a worker lets messages gather when few are waiting: requests cost money on AWS. 0 = fit to the platform." env:"STEREOSPOT_GATHER" default:"0" hidden:""`
	Retry      time.Duration `help:"Wait before a failed message's second attempt; doubled with each one after." env:"STEREOSPOT_RETRY" default:"5s" hidden:""`
	Drain      time.Duration `help:"How long work may go on after the first SIGTERM or Ctrl-C; the second ends it at once." env:"STEREOSPOT_DRAIN" default:"20s"`
}

func (p *Pace) check(on Place, bad func(string, ...any)) {
	p.fit(on)
	for _, d := range []struct {
		flag  string
		value time.Duration
		least time.Duration
	}{
		{"--lease", p.Lease, 500 * time.Millisecond},
		{"--pulse", p.Pulse, 10 * time.Millisecond}, {"--gather", p.Gather, 0}, {"--retry", p.Retry, time.Millisecond}, {"--drain", p.Drain, 0},
	} {
		if d.value < d.least {
			bad("%s is %v: use at least %v", d.flag, d.value, d.least)
		}
	}
	if p.Visibility < 500*time.Millisecond && (p.Visibility != 0 || on == Here) {
		bad("--visibility is %v: use at least 500ms", p.Visibility)
	}
}

// fit fills in what was left to the platform: a query of SQLite costs nothing, a request to AWS does.
func (p *Pace) fit(on Place) {
	if on == OnAWS {
		p.Lease, p.Pulse, p.Gather = cmp.Or(p.Lease, 2*time.Minute), cmp.Or(p.Pulse, 30*time.Second), cmp.Or(p.Gather, time.Second)
		return
	}
	p.Visibility, p.Lease, p.Pulse = cmp.Or(p.Visibility, 30*time.Second), cmp.Or(p.Lease, 30*time.Second), cmp.Or(p.Pulse, time.Second)
}

// Upkeep says how the reconciler works: what it repairs, and what it removes.
type Upkeep struct {
	ReconcileEvery time.Duration `help:"Time between looks at jobs that a crash may have left standing. 0 = fit to the platform." env:"STEREOSPOT_RECONCILE_EVERY" default:"0" hidden:""`
	ResendAfter    time.Duration `help:"How long a job stands still before its messages are sent again. 0 = fit to the platform." env:"STEREOSPOT_RESEND_AFTER" default:"0" hidden:""`
	StallAfter     Span          `help:"Fail a job that made no progress for this long." env:"STEREOSPOT_STALL_AFTER" default:"6h" placeholder:"TIME"`
	AbandonAfter   Span          `help:"Drop an upload that was not continued for this long; 0 keeps it." env:"STEREOSPOT_ABANDON_AFTER" default:"7d" placeholder:"TIME"`
	KeepSources    Span          `help:"Remove the source of a job this long after its end; 0 keeps it." env:"STEREOSPOT_KEEP_SOURCES" default:"0" placeholder:"TIME"`
	KeepSegments   Span          `help:"Remove the segments of a job this long after its end; 0 keeps them." env:"STEREOSPOT_KEEP_SEGMENTS" default:"1d" placeholder:"TIME"`
	KeepResults    Span          `help:"Remove a job with its result this long after its end; 0 keeps it." env:"STEREOSPOT_KEEP_RESULTS" default:"0" placeholder:"TIME"`
	SweepAge       time.Duration `help:"Age from which files that belong to nothing are removed." env:"STEREOSPOT_SWEEP_AGE" default:"1h" hidden:"" aws:"unused"`
}

func (u *Upkeep) check(on Place, bad func(string, ...any)) {
	u.fit(on)
	if u.ReconcileEvery < 10*time.Millisecond {
		bad("--reconcile-every is %v: use at least 10ms", u.ReconcileEvery)
	}
	if u.ResendAfter <= 0 {
		bad("--resend-after is %v: use a time above 0", u.ResendAfter)
	}
	for flag, v := range map[string]Span{
		"--stall-after": u.StallAfter, "--abandon-after": u.AbandonAfter, "--keep-sources": u.KeepSources,
		"--keep-segments": u.KeepSegments, "--keep-results": u.KeepResults,
	} {
		if v < 0 {
			bad("%s is %v: use a time such as 36h or 30d, or 0", flag, v)
		}
	}
}

// fit fills in what was left to the platform.
func (u *Upkeep) fit(on Place) {
	every, after := 15*time.Second, time.Minute
	if on == OnAWS {
		every, after = time.Minute, 15*time.Minute
	}
	u.ReconcileEvery, u.ResendAfter = cmp.Or(u.ReconcileEvery, every), cmp.Or(u.ResendAfter, after)
}

// Listen says where the web server is reached.
type Listen struct {
	Addr      string `help:"Address to listen on." env:"STEREOSPOT_ADDR" default:"127.0.0.1:8080" placeholder:"HOST:PORT"`
	PublicURL string `help:"Address that people outside use, where a proxy stands in front." env:"STEREOSPOT_PUBLIC_URL" placeholder:"URL"`

	PrivateWebhooks bool `help:"Let webhooks reach this machine and its network, not the public internet only." env:"STEREOSPOT_PRIVATE_WEBHOOKS"`
}

func (l *Listen) check(_ Place, bad func(string, ...any)) {
	checkAddr(bad, l.Addr)
	if l.PublicURL == "" {
		return
	}
	if u, err := url.Parse(l.PublicURL); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		bad("--public-url is %q: use an address such as https://films.example", l.PublicURL)
	}
}

func checkAddr(bad func(string, ...any), addr string) {
	if _, _, err := net.SplitHostPort(addr); err != nil {
		bad("--addr is %q: use host:port, such as 127.0.0.1:8080", addr)
	}
}

// Metrics says where a worker process shows its health and metrics.
type Metrics struct {
	MetricsAddr string `help:"Show /healthz, /readyz and /metrics at this address; on this machine only, unless a host is named. Default: nowhere." env:"STEREOSPOT_METRICS_ADDR" placeholder:"HOST:PORT"`
}

func (m *Metrics) check(_ Place, bad func(string, ...any)) {
	if m.MetricsAddr == "" {
		return
	}
	host, port, err := net.SplitHostPort(m.MetricsAddr)
	if err != nil {
		bad("--metrics-addr is %q: use host:port, such as 127.0.0.1:9100", m.MetricsAddr)
		return
	}
	if host == "" {
		m.MetricsAddr = net.JoinHostPort("127.0.0.1", port)
	}
}

// Access says who may use the web server. Secrets come by file or environment only: a command line is seen by others.
type Access struct {
	Password     string `kong:"-" help:"Password of the web server, plain or as a bcrypt hash." env:"STEREOSPOT_PASSWORD"`
	PasswordFile string `help:"File that holds the password, plain or as a bcrypt hash (or set STEREOSPOT_PASSWORD)." env:"STEREOSPOT_PASSWORD_FILE" type:"path" placeholder:"FILE"`

	OIDCIssuer       string   `name:"oidc-issuer" help:"Sign people in by this OpenID Connect provider." env:"STEREOSPOT_OIDC_ISSUER" placeholder:"URL"`
	OIDCClientID     string   `name:"oidc-client-id" help:"This server's name at the provider; its secret is taken from STEREOSPOT_OIDC_CLIENT_SECRET." env:"STEREOSPOT_OIDC_CLIENT_ID" placeholder:"ID"`
	OIDCClientSecret string   `kong:"-" help:"This server's secret at the OpenID Connect provider." env:"STEREOSPOT_OIDC_CLIENT_SECRET"`
	OIDCAdmins       []string `name:"oidc-admins" help:"E-mail addresses of those who see everybody's films." env:"STEREOSPOT_OIDC_ADMINS" placeholder:"ADDRESS"`

	TrustedProxies []netip.Prefix `help:"Networks of the proxies before this server: their X-Forwarded-For says whose tries to sign in are counted." env:"STEREOSPOT_TRUSTED_PROXIES" placeholder:"CIDR"`
}

// maxPasswordFile bounds what is read of a password file, in bytes.
const maxPasswordFile = 4096

func (a *Access) check(_ Place, bad func(string, ...any)) {
	a.Password, a.OIDCClientSecret = os.Getenv("STEREOSPOT_PASSWORD"), os.Getenv("STEREOSPOT_OIDC_CLIENT_SECRET")
	if a.PasswordFile != "" {
		text, err := os.ReadFile(a.PasswordFile)
		switch {
		case err != nil:
			bad("--password-file: %v", err)
		case len(text) > maxPasswordFile || len(strings.TrimSpace(string(text))) == 0:
			bad("--password-file: %s holds no password", a.PasswordFile)
		default:
			a.Password = string(text)
		}
	}
	if (a.OIDCIssuer == "") != (a.OIDCClientID == "") {
		bad("--oidc-issuer and --oidc-client-id go together")
	}
}

// Converting says how much a machine converts at a time.
type Converting struct {
	ConvertJobs int `help:"Segments converted at the same time. 0 = fit to this machine." env:"STEREOSPOT_CONVERT_JOBS" default:"0" placeholder:"N"`
}

func (c *Converting) check(_ Place, bad func(string, ...any)) {
	if c.ConvertJobs < 0 || c.ConvertJobs > 64 {
		bad("--convert-jobs is %d: use 0 to 64", c.ConvertJobs)
	}
}

// Splitting says how much a machine splits and joins at a time.
type Splitting struct {
	MediaJobs int `help:"Films split, and films joined, at the same time." env:"STEREOSPOT_MEDIA_JOBS" default:"1" placeholder:"N"`
}

func (s *Splitting) check(_ Place, bad func(string, ...any)) {
	if s.MediaJobs < 1 || s.MediaJobs > 64 {
		bad("--media-jobs is %d: use 1 to 64", s.MediaJobs)
	}
}

// part is a group of settings that several roles share.
type part interface {
	// check reports every problem that the settings have on the platform, and fills in those that were left to it.
	check(on Place, bad func(format string, args ...any))
}

// all returns every problem of the parts, joined.
func all(on Place, parts ...part) error {
	var errs []error
	for _, p := range parts {
		p.check(on, func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) })
	}
	return errors.Join(errs...)
}
