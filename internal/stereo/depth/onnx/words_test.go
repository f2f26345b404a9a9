package onnx

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestErrorsOfTheRuntimeLoseTheirPlacesInItsSource(t *testing.T) {
	for said, want := range map[string]string{
		"Load model from m.onnx failed:/onnxruntime_src/onnxruntime/core/graph/model.cc:166 onnxruntime::Model::Model(onnx::ModelProto&&, const std::vector<int>*, const onnxruntime::ModelOptions&) ModelProto does not have a graph.":              "Load model from m.onnx failed:ModelProto does not have a graph.",
		"Status Message: /onnxruntime_src/onnxruntime/core/framework/bfc_arena.cc:358 void* onnxruntime::BFCArena::AllocateRawInternal(size_t, bool, onnxruntime::Stream*) Failed to allocate memory for requested buffer of size 8":                 "Status Message: Failed to allocate memory for requested buffer of size 8",
		"/a/onnxruntime/core/providers/cuda/cuda_call.cc:121 std::conditional_t<THRW, void, Status> onnxruntime::CudaCall(ERRTYPE, void (*)(int), int) [with ERRTYPE = cudaError; bool THRW = true] CUDA failure 2:\n out of memory":                 "CUDA failure 2: out of memory",
		"[ONNXRuntimeError] : 1 : FAIL : Failed to load library libonnxruntime_providers_cuda.so":                                                                                                                                                    "Failed to load library libonnxruntime_providers_cuda.so",
		"CUDA failure 35: CUDA driver version is insufficient for CUDA runtime version ; GPU=-1 ; hostname=vm ; file=/onnxruntime_src/onnxruntime/core/providers/cuda/cuda_execution_provider.cc ; line=334 ; expr=cudaSetDevice(info_.device_id); ": "CUDA failure 35: CUDA driver version is insufficient for CUDA runtime version",
		"a::f() const is no place": "a::f() const is no place",
	} {
		if got := plain(errors.New(said)).Error(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if plain(os.ErrNotExist) != os.ErrNotExist {
		t.Error("an error that is plain already is another now")
	}
}

func TestFileThatIsNoNetworkIsCalledWhatItIs(t *testing.T) {
	path := filepath.Join(t.TempDir(), "model.onnx")
	for content, want := range map[string]string{
		"": "an empty file", "version https://git-lfs.github.com/spec/v1\noid sha256:0\n": "a Git LFS pointer", "\n<!DOCTYPE html><p>404": "a web page",
		"\x89PNG\r\n\x1a\n": "image/png", "Entry not found": "text/plain", "\x08\x08\x12\x07pytorch\x00": "",
	} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := alien(path); !strings.HasPrefix(got, want) || want == "" && got != "" {
			t.Errorf("%q is called %q, want %q", content, got, want)
		}
	}
	if got := alien(path + "x"); got != "" {
		t.Errorf("what isn't there is called %q", got)
	}
}
