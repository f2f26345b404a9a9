package config

// NeuralFiles says where what neural depth needs is.
type NeuralFiles struct {
	ModelsDir string `help:"Directory of neural models. Default: $XDG_DATA_HOME/stereospot/models." env:"STEREOSPOT_MODELS_DIR" type:"path" placeholder:"DIR"`
	OrtLib    string `help:"ONNX Runtime's library, 1.24 or newer. Default: ORT_LIB, one beside stereospot, or the system's." env:"ORT_LIB" type:"path" placeholder:"FILE"`
}

// Models says where neural models are and what runs them.
type Models struct {
	NeuralFiles
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

// Fetch says which models the inference service gets by itself.
type Fetch struct {
	FetchModels   []string `name:"fetch-model" help:"Model to fetch from the hub before the service is ready, unless it is there already; may be given several times, first the one to keep warm. A content that stereospot doesn't know may be told." env:"STEREOSPOT_FETCH_MODELS" sep:"," placeholder:"NAME[=SHA256]"`
	AcceptLicense bool     `help:"Agree to licences of models that forbid commercial use." env:"STEREOSPOT_ACCEPT_LICENSE"`
}

// Catalog names models that are elsewhere.
type Catalog struct {
	DepthModels []string `help:"Models that the inference service has, the best first, for a web server on a machine without them: people choose among these. One whose content stereospot doesn't know needs its SHA-256. Default: those installed here." env:"STEREOSPOT_DEPTH_MODELS" sep:"," placeholder:"NAME[=SHA256]"`
}

// Check returns every problem joined into one error.
func (m *Models) Check() error { return all(Here, m) }
