// Package browsertest drives a real Chromium in tests of the pages.
package browsertest

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// Page is one tab. A failing step ends the test with a picture of the tab.
type Page struct {
	t       testing.TB
	ctx     context.Context
	browser context.Context // whose tabs the page is one of
	mu      sync.Mutex
	console []string
	quiet   []string // parts of messages that are no fault
}

// Patience is how long a page may take for something that costs no conversion.
const Patience = time.Minute

// Open starts a browser. The test is skipped where there is none. Errors on the console, those of the content
// security policy among them, fail the test at its end.
func Open(t testing.TB) *Page {
	t.Helper()
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("chromium isn't installed: scripts/setup.sh chromium")
	}
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]),
		chromedp.ExecPath(chromium), chromedp.Flag("autoplay-policy", "no-user-gesture-required"),
		chromedp.DisableGPU, chromedp.Flag("enable-unsafe-swiftshader", true), // WebGL in software
	)
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox) // which doesn't work for root
	}
	ctx, cancel := chromedp.NewContext(t.Context(), chromedp.WithAllocatorOptions(options...))
	if err := chromedp.Do(ctx); err != nil {
		cancel()
		t.Fatalf("chromium doesn't start: %v", err)
	}
	p := newTab(t, ctx)
	t.Cleanup(func() {
		_ = chromedp.Cancel(ctx) // the test may have lost the browser already
		cancel()
	})
	return p
}

// newTab opens a tab that its test closes at the latest.
func newTab(t testing.TB, browser context.Context) *Page {
	t.Helper()
	ctx, cancel := chromedp.NewContext(browser)
	p := &Page{t: t, ctx: ctx, browser: browser}
	if err := chromedp.Do(ctx); err != nil {
		cancel()
		t.Fatalf("no tab opens: %v", err)
	}
	listened := make(chan struct{})
	go p.listen(listened)
	t.Cleanup(func() {
		cancel()
		<-listened
		p.complain()
	})
	return p
}

// Reopen closes the tab without asking it, and opens another in the same browser.
func (p *Page) Reopen() *Page {
	p.t.Helper()
	if err := chromedp.Cancel(p.ctx); err != nil {
		p.t.Fatal(err)
	}
	return newTab(p.t, p.browser)
}

// Beside opens another tab in the same browser.
func (p *Page) Beside() *Page {
	p.t.Helper()
	return newTab(p.t, p.browser)
}

// Before runs a script in every page that the tab opens from now on, before the page's own.
func (p *Page) Before(script string) {
	p.t.Helper()
	p.Do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: script})
		return err
	}))
}

// listen collects what the page writes to its console as an error.
func (p *Page) listen(done chan<- struct{}) {
	defer close(done)
	for m, err := range chromedp.Console(p.ctx) {
		if err != nil {
			return
		}
		if m.IsException() || m.Type == "error" {
			p.mu.Lock()
			p.console = append(p.console, m.Source+" "+m.Text+" "+m.URL)
			p.mu.Unlock()
		}
	}
}

// Expect says that console errors with this text are no fault, such as those of a server that the test kills.
func (p *Page) Expect(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.quiet = append(p.quiet, text)
}

// ExpectOutage says that what a browser writes while a server is killed and away is no fault, whoever asked for something
// just then: the network's own messages, fetch before and within an answer, htmx, and Uppy.
func (p *Page) ExpectOutage() {
	for _, text := range []string{
		"net::ERR_",       // by any request: refused, reset, an answer that broke off
		"Failed to fetch", // fetch that got no answer
		"network error",   // fetch whose answer broke off; Uppy's words for any of these
		"htmx:sendError",  // an element that fetched itself again
	} {
		p.Expect(text)
	}
}

func (p *Page) complain() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, m := range p.console {
		if !slices.ContainsFunc(p.quiet, func(q string) bool { return strings.Contains(m, q) }) {
			p.t.Errorf("on the browser's console: %s", m)
		}
	}
}

// Do runs steps, all within Patience.
func (p *Page) Do(steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, Patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		p.Fail(err.Error())
	}
}

// Go opens an address.
func (p *Page) Go(url string) {
	p.t.Helper()
	p.Do(chromedp.Navigate(url))
}

// Click presses the first visible element of a CSS selector.
func (p *Page) Click(selector string) {
	p.t.Helper()
	p.Do(chromedp.Click(chromedp.CSS(selector), chromedp.NodeVisible))
}

// Choose gives files to a file field, as its dialog would.
func (p *Page) Choose(selector string, files ...string) {
	p.t.Helper()
	p.Wait("document.querySelector("+quote(selector)+")?.disabled === false", Patience)
	p.Do(chromedp.SetUploadFiles(chromedp.CSS(selector), files))
}

// Set writes a field's value and tells the page, as typing would.
func (p *Page) Set(selector, value string) {
	p.t.Helper()
	p.Eval(`{ const f = document.querySelector(` + quote(selector) + `); f.value = ` + quote(value) + `;
		for (const e of ["input", "change"]) f.dispatchEvent(new Event(e, { bubbles: true })); }`)
}

// Type presses the keys of text in a field.
func (p *Page) Type(selector, text string) {
	p.t.Helper()
	p.Do(chromedp.SendKeys(chromedp.CSS(selector), text))
}

// Eval runs a script for its effect.
func (p *Page) Eval(script string) {
	p.t.Helper()
	p.Do(chromedp.Evaluate[chromedp.Void](script))
}

// Text returns a script's value as text.
func (p *Page) Text(script string) string {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, Patience)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[string]("String(("+script+"))"))
	if err != nil {
		p.Fail(err.Error())
	}
	return v
}

// Wait until a script is true, whatever pages are loaded meanwhile.
func (p *Page) Wait(script string, within time.Duration) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, within)
	defer cancel()
	last := "nothing"
	for tick := time.NewTicker(50 * time.Millisecond); ; <-tick.C {
		v, err := chromedp.Run(ctx, chromedp.Evaluate[string]("String(Boolean(("+script+")))"))
		if err == nil && v == "true" {
			tick.Stop()
			return
		}
		if ctx.Err() != nil {
			tick.Stop()
			p.Fail("waited in vain for " + script + ", last was " + last)
		}
		if last = v; err != nil {
			last = err.Error()
		}
	}
}

// Size gives the tab a size in CSS pixels.
func (p *Page) Size(width, height int64) {
	p.t.Helper()
	p.Do(chromedp.EmulateViewport(width, height))
}

// Prefer sets a media feature, such as prefers-color-scheme to dark.
func (p *Page) Prefer(feature, value string) {
	p.t.Helper()
	p.Do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: feature, Value: value}},
		})
		return err
	}))
}

// Shoot keeps a picture of the whole page in work/screenshots, for people to look at.
func (p *Page) Shoot(name string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, Patience)
	defer cancel()
	png, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	if err == nil {
		err = keep(name, png)
	}
	if err != nil {
		p.t.Errorf("picture %s: %v", name, err)
	}
}

func keep(name string, png []byte) error {
	dir, err := artefacts()
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644)
}

// artefacts is work/screenshots at the module's root.
func artefacts() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		if filepath.Dir(dir) == dir {
			return "", os.ErrNotExist
		}
		dir = filepath.Dir(dir)
	}
	dir = filepath.Join(dir, "work", "screenshots")
	return dir, os.MkdirAll(dir, 0o755)
}

// Fail ends the test with a picture of the tab.
func (p *Page) Fail(why string) {
	p.t.Helper()
	p.Shoot("failed-" + strings.ReplaceAll(p.t.Name(), "/", "-"))
	p.mu.Lock()
	console := strings.Join(p.console, "\n")
	p.mu.Unlock()
	p.t.Fatalf("%s\nconsole: %s", why, console)
}

// quote writes text as a JavaScript string.
func quote(text string) string {
	return "`" + strings.NewReplacer(`\`, `\\`, "`", "\\`", "$", `\$`).Replace(text) + "`"
}

// Throttle limits how fast the tab sends, in bytes per second; 0 lifts the limit.
func (p *Page) Throttle(upload float64) {
	p.t.Helper()
	rate := upload
	if upload == 0 {
		rate = -1
	}
	p.Do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, network.EmulateNetworkConditionsByRule, network.EmulateNetworkConditionsByRuleParams{
			MatchedNetworkConditions: []*network.Conditions{{DownloadThroughput: -1, UploadThroughput: rate}},
		})
		return err
	}))
}
