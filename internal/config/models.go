package config

// Models says where neural models are and what runs them.
type Models struct {
	ModelsDir     string `help:"Directory of neural models. Default: $XDG_DATA_HOME/stereospot/models." env:"STEREOSPOT_MODELS_DIR" type:"path" placeholder:"DIR"`
	OrtLib        string `help:"ONNX Runtime's library, 1.24 or newer. Default: ORT_LIB, one beside stereospot, or the system's." env:"ORT_LIB" type:"path" placeholder:"FILE"`
	DepthProvider string `help:"What computes neural depth: ${enum}; auto is the first of tensorrt, cuda and cpu that works." env:"STEREOSPOT_DEPTH_PROVIDER" enum:"auto,cpu,cuda,tensorrt" default:"auto"`
	DepthThreads  int    `help:"Threads that compute neural depth on the CPU. 0 = all cores." env:"STEREOSPOT_DEPTH_THREADS" default:"0" placeholder:"N"`
	DepthBatch    int    `help:"Frames that a GPU computes at once; fewer where its memory is short. 0 = 4." env:"STEREOSPOT_DEPTH_BATCH" default:"0" placeholder:"N"`
	DepthMemory   Size   `help:"Bound of neural depth's memory on a GPU. 0 = none." env:"STEREOSPOT_DEPTH_MEMORY" default:"0" placeholder:"SIZE"`
}

func (m *Models) check(_ Place, bad func(string, ...any)) {
	if m.DepthThreads < 0 || m.DepthThreads > 1024 {
		bad("--depth-threads is %d: use 0 to 1024", m.DepthThreads)
	}
	if m.DepthBatch < 0 || m.DepthBatch > 64 {
		bad("--depth-batch is %d: use 0 to 64", m.DepthBatch)
	}
	if m.DepthMemory < 0 {
		bad("--depth-memory is %v: use a size such as 4GiB, or 0", m.DepthMemory)
	}
}

// Check returns every problem joined into one error.
func (m *Models) Check() error { return all(Here, m) }
