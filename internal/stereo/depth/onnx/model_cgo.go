//go:build cgo

package onnx

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	ort "github.com/yalue/onnxruntime_go"

	"github.com/stereospot/stereospot/internal/stereo/depth"
)

// Model is a network that is ready to run. Safe for concurrent use: runs take turns, because one run keeps all
// threads of the machine busy.
type Model struct {
	path     string
	spec     depth.Spec
	provider Provider
	noCUDA   string // why it isn't CUDA, which the library has; empty where it is, has it not, or wasn't to be
	threads  int
	in, out  port
	batch    atomic.Int64 // which others ask for while a run is under way

	mu      sync.Mutex
	session *ort.DynamicAdvancedSession
	bound   *binding // of the last size of picture
}

// port is one of the network's inputs or outputs.
type port struct {
	name  string
	half  bool      // 16-bit values
	shape ort.Shape // negative where any size will do
}

var _ depth.Net = (*Model)(nil)

// loading guards the runtime, of which a process has one.
var loading sync.Mutex

// Runtime loads ONNX Runtime, unless this process has, and returns its version.
func Runtime(library string) (version string, err error) {
	loading.Lock()
	defer loading.Unlock()
	if ort.IsInitialized() {
		return ort.GetVersion(), nil
	}
	path, err := FindLibrary(library)
	if err != nil {
		return "", err
	}
	ort.SetSharedLibraryPath(path)
	// What fails is returned; the runtime needn't print it too.
	switch err := ort.InitializeEnvironment(ort.WithLogLevelFatal()); {
	case err == nil:
		return ort.GetVersion(), nil
	case strings.Contains(err.Error(), "API base"): // the library answers that it doesn't know this version of its interface
		return "", unavailable("%s is older than ONNX Runtime 1.24: %s", path, howToGet)
	default:
		return "", unavailable("%s isn't an ONNX Runtime library for this machine (%v): %s", path, err, howToGet)
	}
}

// Open loads the network in a file. What spec leaves open (the sizes) is read from the file.
func Open(path string, spec depth.Spec, c Config) (*Model, error) {
	if _, err := Runtime(c.Library); err != nil {
		return nil, err
	}
	m := &Model{path: path, spec: spec, threads: c.Threads}
	m.batch.Store(1)
	if m.threads <= 0 {
		m.threads = runtime.GOMAXPROCS(0)
	}
	dynamic, err := m.inspect()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Base(path), err)
	}
	if err := m.start(c); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Base(path), err)
	}
	if dynamic {
		if err := m.fitBatch(c.Batch); err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", filepath.Base(path), err), m.Close())
		}
	}
	return m, nil
}

// inspect reads the network's input and output, and reports whether it takes several pictures at once.
func (m *Model) inspect() (dynamic bool, err error) {
	ins, outs, err := m.ports()
	if err != nil {
		return false, err
	}
	if len(ins) != 1 {
		return false, fmt.Errorf("the network has %d inputs: use one that takes a picture alone", len(ins))
	}
	in := ins[0]
	if err := checkInput(in); err != nil {
		return false, err
	}
	if m.in, err = newPort(in); err != nil {
		return false, err
	}
	if m.out, err = newPort(chooseOutput(outs)); err != nil {
		return false, err
	}
	w, h := fixedSides(in.Dimensions)
	m.spec.FixedW, m.spec.FixedH = cmp.Or(w, m.spec.FixedW), cmp.Or(h, m.spec.FixedH)
	return in.Dimensions[0] < 0, nil
}

// ports returns what the network takes and gives.
func (m *Model) ports() (ins, outs []ort.InputOutputInfo, err error) {
	o, err := ort.NewSessionOptions()
	if err != nil {
		return nil, nil, err
	}
	defer o.Destroy()
	if err := o.SetGraphOptimizationLevel(ort.GraphOptimizationLevelDisableAll); err != nil {
		return nil, nil, err
	}
	ins, outs, err = ort.GetInputOutputInfoWithOptions(m.path, o)
	if err == nil {
		return ins, outs, nil
	}
	err = plain(err)
	if what := alien(m.path); what != "" {
		err = fmt.Errorf("it is %s", what)
	}
	return nil, nil, fmt.Errorf("not a network that ONNX Runtime %s can read: %w", ort.GetVersion(), err)
}

// chooseOutput prefers the contract's name, then the next most usual one, over the first output: others may be confidence,
// sky, or the camera.
func chooseOutput(outs []ort.InputOutputInfo) ort.InputOutputInfo {
	for _, name := range []string{"predicted_depth", "depth"} {
		if i := slices.IndexFunc(outs, func(o ort.InputOutputInfo) bool { return o.Name == name }); i >= 0 {
			return outs[i]
		}
	}
	if len(outs) == 0 {
		return ort.InputOutputInfo{}
	}
	return outs[0]
}

func newPort(i ort.InputOutputInfo) (port, error) {
	switch i.DataType {
	case ort.TensorElementDataTypeFloat:
		return port{name: i.Name, shape: i.Dimensions}, nil
	case ort.TensorElementDataTypeFloat16:
		return port{name: i.Name, half: true, shape: i.Dimensions}, nil
	}
	return port{}, fmt.Errorf("the network's %s holds %s: use one of 32-bit or 16-bit floats", i.Name, i.DataType)
}

// start opens the session on the first provider that works.
func (m *Model) start(c Config) error {
	wanted := []Provider{c.Provider}
	if c.Provider == "" || c.Provider == Auto {
		wanted = []Provider{TensorRT, CUDA, CPU}
	}
	var errs []error
	for _, p := range wanted {
		err := m.startOn(p, c)
		if err == nil {
			m.provider = p
			return nil
		}
		if err = plain(err); p == CUDA && len(wanted) > 1 && !isAbsent(err) {
			m.noCUDA = err.Error()
		}
		errs = append(errs, fmt.Errorf("%s: %w", p, err))
	}
	switch {
	case len(wanted) == 1 && isAbsent(errs[0]):
		return fmt.Errorf("--depth-provider %s: this ONNX Runtime was built without: `pip install onnxruntime-gpu` brings one, to be named with --ort-lib", wanted[0])
	case len(wanted) == 1:
		return fmt.Errorf("--depth-provider %w", errs[0])
	}
	return errors.Join(errs...)
}

// isAbsent reports that the library was built without a provider.
func isAbsent(err error) bool { return strings.Contains(err.Error(), "not enabled in this build") }

func (m *Model) startOn(p Provider, c Config) error {
	o, err := ort.NewSessionOptions()
	if err != nil {
		return err
	}
	defer o.Destroy()
	err = errors.Join(
		o.SetIntraOpNumThreads(m.threads), o.SetInterOpNumThreads(1), o.SetExecutionMode(ort.ExecutionModeSequential),
		o.SetGraphOptimizationLevel(ort.GraphOptimizationLevelEnableAll),
		// Numbers next to zero cost a CPU dearly and mean nothing here.
		o.AddSessionConfigEntry("session.set_denormal_as_zero", "1"),
	)
	if err == nil && p == TensorRT {
		err = appendTensorRT(o, c)
	}
	if err == nil && (p == CUDA || p == TensorRT) { // CUDA computes what TensorRT leaves
		err = appendCUDA(o, c)
	}
	if err != nil {
		return err
	}
	m.session, err = ort.NewDynamicAdvancedSession(m.path, []string{m.in.name}, []string{m.out.name}, o)
	return err
}

func appendCUDA(o *ort.SessionOptions, c Config) error {
	cuda, err := ort.NewCUDAProviderOptions()
	if err != nil {
		return err
	}
	defer cuda.Destroy()
	// The algorithm that a measurement prefers differs from run to run, and its bits with it.
	options := map[string]string{"cudnn_conv_algo_search": "HEURISTIC", "arena_extend_strategy": "kSameAsRequested"}
	if c.GPUMemory > 0 {
		options["gpu_mem_limit"] = fmt.Sprint(c.GPUMemory)
	}
	return errors.Join(cuda.Update(options), o.AppendExecutionProviderCUDA(cuda))
}

func appendTensorRT(o *ort.SessionOptions, c Config) error {
	trt, err := ort.NewTensorRTProviderOptions()
	if err != nil {
		return err
	}
	defer trt.Destroy()
	options := map[string]string{}
	if c.Cache != "" {
		options["trt_engine_cache_enable"], options["trt_engine_cache_path"] = "1", c.Cache
		options["trt_timing_cache_enable"] = "1" // the same kernels in every process
	}
	if c.GPUMemory > 0 {
		options["trt_max_workspace_size"] = fmt.Sprint(c.GPUMemory)
	}
	return errors.Join(trt.Update(options), o.AppendExecutionProviderTensorRT(trt))
}

// Spec implements depth.Net.
func (m *Model) Spec() depth.Spec { return m.spec }

// Batch implements depth.Net.
func (m *Model) Batch() int { return int(m.batch.Load()) }

// SizeBound reports whether the first run of each size of picture takes longer than others: a GPU chooses its kernels by
// the size.
func (m *Model) SizeBound() bool { return m.provider != CPU }

// Provider returns what computes the network: never Auto.
func (m *Model) Provider() Provider { return m.provider }

// String says what computes the network.
func (m *Model) String() string {
	if m.provider == CPU {
		text := fmt.Sprintf("CPU, %d threads, ONNX Runtime %s", m.threads, ort.GetVersion())
		if m.noCUDA != "" {
			text += fmt.Sprintf(" (CUDA doesn't work: %s)", m.noCUDA)
		}
		return text
	}
	return fmt.Sprintf("%s, ONNX Runtime %s", map[Provider]string{CUDA: "CUDA", TensorRT: "TensorRT"}[m.provider], ort.GetVersion())
}

// Close frees the network.
func (m *Model) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.bound.free()
	m.bound = nil
	return m.session.Destroy()
}
