package checks

import (
	"tfguard/probe"
)

// TFG104: TF_FORCE_GPU_ALLOW_GROWTH=false.
func init() {
	Register(&Check{
		ID: "TFG104", Slug: "gpu-growth-overridden",
		Title: "TF_FORCE_GPU_ALLOW_GROWTH=false undoes the program's allow_growth=True",
		Why: "The variable does not give a default: it wins over ConfigProto.gpu_options.allow_growth and tf.config.experimental.set_memory_growth. With false, " +
			"TensorFlow takes nearly all memory of every visible GPU at its first use, and a second process on the same GPU fails or waits.",
		Proof:    "The value is false, and this TensorFlow reads the variable.",
		Fix:      "Set it to true, or remove it and let the program decide.",
		Links:    []string{"tensorflow/tensorflow: tensorflow/core/common_runtime/gpu/gpu_device.cc", "https://www.tensorflow.org/guide/gpu#limiting_gpu_memory_growth"},
		Severity: Warning, Basis: Documented,
		Live: func(s *probe.Snapshot) []Finding {
			if s.Environ == nil {
				return nil
			}
			var out []Finding
			for _, v := range judged(s) {
				if v.Name != "TF_FORCE_GPU_ALLOW_GROWTH" || v.Value != "false" {
					continue
				}
				f := finding(v, Warn, Proven, "TF_FORCE_GPU_ALLOW_GROWTH=false overrides allow_growth=True of the program")
				f.Evidence = append(f.Evidence, "read by "+readers(v))
				f.Remedy = []string{"set it to true, or remove it"}
				out = append(out, f)
			}
			if len(out) == 0 {
				return noneSet("nothing overrides the program's GPU memory growth")
			}
			return out
		},
	})
}
