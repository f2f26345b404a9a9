package config

import (
	"net/url"
	"time"
)

// Backend is where video-worker has segments converted.
type Backend string

// The backends.
const (
	InProcess Backend = "local"
	ByHTTP    Backend = "http"      // by an inference service
	SageMaker Backend = "sagemaker" // by an asynchronous endpoint
)

// Inference says where segments are converted.
type Inference struct {
	Backend     Backend       `name:"inference-backend" help:"Who converts segments: this process (local), an inference service (http), or a SageMaker endpoint (sagemaker)." env:"INFERENCE_BACKEND" enum:"local,http,sagemaker" default:"local"`
	URL         string        `name:"inference-url" help:"Address of the inference service, for the backend http." env:"INFERENCE_HTTP_URL" placeholder:"URL"`
	Endpoint    string        `name:"sagemaker-endpoint" help:"Name of the asynchronous endpoint, for the backend sagemaker." env:"SAGEMAKER_ENDPOINT_NAME" placeholder:"NAME"`
	MaxInFlight int           `name:"inference-max-in-flight" help:"Segments asked for at a time, for the backends http and sagemaker." env:"INFERENCE_MAX_IN_FLIGHT" default:"4" placeholder:"N"`
	Timeout     time.Duration `name:"inference-timeout" help:"How long the conversion of one segment may take elsewhere, its wait for a place included." env:"INFERENCE_TIMEOUT" default:"1h" placeholder:"TIME"`
	Dir         string        `name:"inference-dir" help:"Directory that this machine shares with the inference service, at the same path; for the backend http without AWS." env:"STEREOSPOT_INFERENCE_DIR" type:"path" placeholder:"DIR" aws:"unused"`
}

// Bounds of Inference's settings. Beyond the longest timeout the reconciler would have given the job up.
const (
	mostInFlight     = 4096
	leastTimeout     = time.Minute
	mostTimeout      = 6 * time.Hour
	endpointName     = `^[A-Za-z0-9](-*[A-Za-z0-9]){0,62}$`
	inferenceExample = "http://127.0.0.1:8081"
)

func (i *Inference) check(on Place, bad func(string, ...any)) {
	if !i.Elsewhere() {
		return
	}
	if i.MaxInFlight < 1 || i.MaxInFlight > mostInFlight {
		bad("INFERENCE_MAX_IN_FLIGHT is %d: use 1 to %d", i.MaxInFlight, mostInFlight)
	}
	if i.Timeout < leastTimeout || i.Timeout > mostTimeout {
		bad("INFERENCE_TIMEOUT is %v: use %v to %v", i.Timeout, leastTimeout, mostTimeout)
	}
	if i.Backend == SageMaker {
		i.checkEndpoint(on, bad)
		return
	}
	if u, err := url.Parse(i.URL); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.RawQuery != "" || u.Fragment != "" {
		bad("INFERENCE_HTTP_URL is %q: the backend http needs an address such as %s", i.URL, inferenceExample)
	}
	if on == Here && i.Dir == "" {
		bad("STEREOSPOT_INFERENCE_DIR is not set: the backend http needs a directory that the inference service shares, or --platform aws")
	}
}

func (i *Inference) checkEndpoint(on Place, bad func(string, ...any)) {
	if on != OnAWS {
		bad("INFERENCE_BACKEND is sagemaker: that needs --platform aws, whose buckets the endpoint reads and writes")
	}
	if i.Endpoint == "" {
		bad("SAGEMAKER_ENDPOINT_NAME is not set: the backend sagemaker needs the name of an endpoint")
	}
	checkName(bad, "SAGEMAKER_ENDPOINT_NAME", i.Endpoint, endpointName)
}

// Elsewhere reports whether segments are converted by another process.
func (i *Inference) Elsewhere() bool { return i.Backend == ByHTTP || i.Backend == SageMaker }

// InFlight is how many segments a process works on at a time: own where it converts them itself.
func (i *Inference) InFlight(own int) int {
	if i.Elsewhere() {
		return i.MaxInFlight
	}
	return own
}

// Decoding says what decodes video.
type Decoding struct {
	Decoder string `help:"What decodes video: ${enum}; auto is an NVIDIA GPU where it gives software's frames, else software." env:"STEREOSPOT_DECODER" enum:"auto,software,cuda" default:"auto"`
}

// Service says how the inference service works.
type Service struct {
	Addr       string        `help:"Address to listen on." env:"STEREOSPOT_INFERENCE_ADDR" default:"0.0.0.0:8080" placeholder:"HOST:PORT"`
	Jobs       int           `help:"Segments converted at the same time. 0 = fit to this machine." env:"STEREOSPOT_INFERENCE_JOBS" default:"0" placeholder:"N"`
	Wait       time.Duration `help:"How long a request may wait for its place before it is answered 503." env:"STEREOSPOT_INFERENCE_WAIT" default:"10s" placeholder:"TIME"`
	AllowFiles []string      `help:"Directory whose files requests may name by file:// addresses; may be given several times. Default: none." env:"STEREOSPOT_ALLOW_FILES" sep:":" type:"existingdir" placeholder:"DIR"`
	ScratchDir string        `help:"Directory for files under way. Default: the system's for temporary files." env:"STEREOSPOT_SCRATCH_DIR" type:"path" placeholder:"DIR"`
	Drain      time.Duration `help:"How long work may go on after the first SIGTERM or Ctrl-C; the second ends it at once." env:"STEREOSPOT_DRAIN" default:"20s"`
}

func (s *Service) check(_ Place, bad func(string, ...any)) {
	checkAddr(bad, s.Addr)
	if s.Jobs < 0 || s.Jobs > 64 {
		bad("--jobs is %d: use 0 to 64", s.Jobs)
	}
	if s.Wait < 0 || s.Wait > 10*time.Minute {
		bad("--wait is %v: use 0 to 10m", s.Wait)
	}
	if s.Drain < 0 {
		bad("--drain is %v: use 0 or more", s.Drain)
	}
}

// InferenceService converts for video-workers elsewhere.
type InferenceService struct {
	Service
	HubToken
	Fetch
	Models
	Decoding
	Log
}

// Check is as Serve's.
func (c *InferenceService) Check() error {
	return all(Here, &c.Service, &c.HubToken, &c.Models, &c.Log)
}
